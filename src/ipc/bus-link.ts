import { connect, type Socket } from 'node:net'
import type { Logger } from '../contracts/logger.ts'

// A worker that takes nothing for this long a backlog is stuck; its messages are dropped rather than kept for ever.
const BACKLOG_BYTES = 64 * 1024 * 1024
export const LENGTH_BYTES = 4
// Chunks that are shorter on average are joined; copies of longer ones would be garbage at once.
const JOINED_BYTES = 1024

/** One process as this one reaches it. What is sent in one turn of the event loop leaves in one write. */
export class BusLink {
  readonly #socket: Socket
  readonly #log: Logger
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #isDropping = false
  readonly #flush = (): void => this.flush()

  constructor(path: string, log: Logger) {
    this.#log = log
    this.#socket = connect(path)
    // A worker that has died: the master says so soon, and its connections went with it.
    this.#socket.on('error', (error) => log.debug({ err: error }, 'Bus link ended'))
    this.#socket.unref()
  }

  get backlog(): number {
    return this.#socket.writableLength + this.#waitingBytes
  }

  /** @param bytes of one message, that nobody changes any more */
  send(bytes: Buffer, { mayDrop = true } = {}): void {
    if (mayDrop && this.#socket.writableLength > BACKLOG_BYTES) {
      if (!this.#isDropping) this.#log.warn('Another worker does not take its bus messages: dropping them')
      this.#isDropping = true
      return
    }
    this.#isDropping = false
    if (this.#waiting.length === 0) setImmediate(this.#flush)
    const length = Buffer.allocUnsafe(LENGTH_BYTES)
    length.writeUInt32LE(bytes.length)
    this.#waiting.push(length, bytes)
    this.#waitingBytes += LENGTH_BYTES + bytes.length
  }

  flush(): void {
    if (this.#waiting.length > 0 && !this.#socket.destroyed) this.#write(this.#waiting)
    this.#waiting = []
    this.#waitingBytes = 0
  }

  #write(chunks: readonly Buffer[]): void {
    if (this.#waitingBytes < JOINED_BYTES * chunks.length) return void this.#socket.write(Buffer.concat(chunks, this.#waitingBytes))
    this.#socket.cork()
    for (const chunk of chunks) this.#socket.write(chunk)
    this.#socket.uncork()
  }

  close(): void {
    this.flush()
    this.#socket.end()
  }
}
