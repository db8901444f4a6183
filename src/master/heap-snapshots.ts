import { chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Account } from './privileges.ts'
import type { WorkerChild } from './worker-child.ts'

/** Heap snapshots of workers, for who looks for a leak: files for Chrome's developer tools. */
export class HeapSnapshots {
  readonly #dir: string
  readonly #child: (slot: number) => WorkerChild | undefined
  /** Who workers run as, if not as this process does: a file in this folder they cannot make by themselves. */
  account: Account | undefined
  readonly #waiting = new Map<WorkerChild, (error: string | undefined) => void>()

  constructor(parts: { dir: string; child: (slot: number) => WorkerChild | undefined }) {
    this.#dir = parts.dir
    this.#child = parts.child
  }

  /** Resolves with the path of the file. The worker stands still while it writes. @throws Error */
  async write(slot: number): Promise<string> {
    const child = this.#child(slot)
    if (child?.isReady !== true) throw new Error(`Cannot write a heap snapshot: there is no worker ${slot} that is ready`)
    if (this.#waiting.has(child)) throw new Error(`Cannot write a heap snapshot: worker ${slot} writes one already`)
    const file = join(this.#dir, `worker-${slot}-${child.pid}-${Date.now()}.heapsnapshot`)
    if (this.account !== undefined) {
      writeFileSync(file, '', { mode: 0o600 })
      chownSync(file, this.account.uid, this.account.gid)
    }
    const written = new Promise<string | undefined>((resolve) => this.#waiting.set(child, resolve))
    child.send({ type: 'heap', file })
    const error = await Promise.race([written, child.ended.then(() => 'the worker has ended')])
    this.#waiting.delete(child)
    if (error !== undefined) throw new Error(`Cannot write a heap snapshot to ${file}: ${error}`)
    return file
  }

  written(child: WorkerChild, error: string | undefined): void {
    this.#waiting.get(child)?.(error)
  }
}
