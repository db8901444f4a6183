import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { realpathSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeFolder } from '../make-folder.ts'

const LOOK_MS = 50

/**
 * A folder that one process of the machine uses at a time: held by a name that the kernel takes back when the process ends, however it does
 * (abstract sockets, unix(7); Linux alone has them). Processes of containers with networks of their own do not see each other's.
 */
export class FolderClaim {
  readonly #server: Server | undefined

  private constructor(server?: Server) {
    this.#server = server
  }

  /** Makes the folder, and waits at most so long for who has it. @returns undefined when that is not over by then */
  static async take(dir: string, maxWaitMs: number): Promise<FolderClaim | undefined> {
    makeFolder(dir, 0o700)
    if (process.platform !== 'linux') return new FolderClaim()
    const name = createHash('sha256').update(realpathSync(dir)).digest('hex')
    const end = performance.now() + maxWaitMs
    for (;;) {
      const server = await listen(`\0polyport-${name}`)
      if (server !== undefined) return new FolderClaim(server)
      if (performance.now() > end) return undefined
      await sleep(LOOK_MS)
    }
  }

  release(): void {
    this.#server?.close()
  }
}

async function listen(path: string): Promise<Server | undefined> {
  // Nobody has anything to say here.
  const server = createServer((socket) => socket.destroy())
  server.unref()
  server.listen(path)
  try {
    await once(server, 'listening')
    return server
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined
    throw error
  }
}
