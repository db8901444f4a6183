import { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import { BindError } from '../errors.ts'
import { lstatSync, rmSync } from '../node-fs.ts'

/** What the package unix-dgram gives: a socket that is bound to a path. */
interface UnixDatagramSocket extends EventEmitter {
  bind(path: string): void
  send(buffer: Buffer, offset: number, length: number, path: string, done: (error?: Error | null) => void): void
  close(): void
}

/** The part of a dgram.Socket that a udp port uses, over a unix datagram socket. Addresses are paths, ports are 0. */
export class UnixDatagram extends EventEmitter {
  readonly #socket: UnixDatagramSocket
  readonly #path: string
  readonly #inode: number

  /** @throws BindError when the optional package is not installed or the path cannot be bound */
  constructor(path: string, from: string) {
    super()
    this.#path = path
    this.#socket = load(from).createSocket('unix_dgram', (packet: Buffer, info: { path?: string }) => {
      this.emit('message', packet, { address: info.path ?? '', port: 0 })
    })
    let failure: Error | undefined
    const onFailure = (error: Error): void => {
      failure = error
    }
    // bind() reports through this event before it returns.
    this.#socket.once('error', onFailure)
    this.#socket.bind(path)
    this.#socket.off('error', onFailure)
    if (failure !== undefined) throw new BindError(`Cannot open a unix datagram socket on ${path}: ${failure.message}`)
    this.#inode = lstatSync(path).ino
    this.#socket.on('error', (error) => this.emit('error', error))
  }

  send(data: string | Uint8Array, _port: number, path: string): void {
    const bytes = Buffer.from(data as string)
    this.#socket.send(bytes, 0, bytes.length, path, (error) => {
      if (error) this.emit('error', error)
    })
  }

  /** Also removes the path, which the package leaves; not when another worker has bound it anew. */
  close(): void {
    this.#socket.close()
    if (lstatSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode) rmSync(this.#path, { force: true })
  }
}

function load(from: string): { createSocket(type: 'unix_dgram', onMessage: (packet: Buffer, info: { path?: string }) => void): UnixDatagramSocket } {
  try {
    // From the config's folder first: the package is the user's choice, not a dependency of this one.
    return createRequire(from)('unix-dgram') as ReturnType<typeof load>
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND' && String(error).includes("'unix-dgram'")
    const reason = isMissing ? 'install the optional package with "npm install unix-dgram"' : `the package unix-dgram does not load: ${String(error)}`
    throw new BindError(`Cannot open a unix datagram socket: ${reason}`, { cause: error })
  }
}
