import { connect, type Socket } from 'node:net'
import type { Logger } from '../contracts/logger.ts'
import type { BusPressure, Receiver } from './bus-pressure.ts'

// Who sends is held back from here on (BusPressure): far more than what is under way to a worker that has its turn.
const BEHIND_BYTES = 4 * 1024 * 1024
// For those that cannot be held back. A worker that takes nothing for this long a backlog is stuck; its messages are dropped rather than kept for ever.
const BACKLOG_BYTES = 64 * 1024 * 1024
export const LENGTH_BYTES = 4
// Chunks that are shorter on average are joined; copies of longer ones would be garbage at once.
const JOINED_BYTES = 1024

export interface BusLinkParts {
  /** The unix socket that it listens on. */
  readonly path: string
  readonly log: Logger
  readonly pressure: BusPressure
  readonly onDropped: () => void
  /** Nothing gets there any more. */
  readonly onEnded: (link: BusLink) => void
}

/** One process as this one reaches it. What is sent in one turn of the event loop leaves in one write. */
export class BusLink implements Receiver {
  isBehind = false
  lateAt = 0
  readonly #parts: BusLinkParts
  readonly #socket: Socket
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #isDropping = false
  readonly #flush = (): void => this.flush()

  constructor(parts: BusLinkParts) {
    this.#parts = parts
    this.#socket = connect(parts.path)
    // A worker that has died: the master says so soon, and its connections went with it.
    this.#socket.on('error', (error) => parts.log.debug({ err: error }, 'Bus link ended'))
    this.#socket.on('drain', this.#onCaughtUp)
    this.#socket.on('close', () => {
      this.#onCaughtUp()
      parts.onEnded(this)
    })
    this.#socket.unref()
  }

  get backlog(): number {
    if (this.#socket.destroyed) return 0
    return this.#socket.writableLength + this.#waitingBytes
  }

  /** @param bytes of one message, that nobody changes any more */
  send(bytes: Buffer, { mayDrop = true } = {}): void {
    if (this.#socket.destroyed) return
    const { backlog } = this
    if (backlog > BEHIND_BYTES) {
      this.isBehind = true
      this.lateAt = ++this.#parts.pressure.late
      if (mayDrop && backlog > BACKLOG_BYTES) return this.#drop()
    }
    this.#isDropping = false
    if (this.#waiting.length === 0) setImmediate(this.#flush)
    const length = Buffer.allocUnsafe(LENGTH_BYTES)
    length.writeUInt32LE(bytes.length)
    this.#waiting.push(length, bytes)
    this.#waitingBytes += LENGTH_BYTES + bytes.length
  }

  #drop(): void {
    if (!this.#isDropping) this.#parts.log.warn('Another worker does not take its bus messages: dropping them')
    this.#isDropping = true
    this.#parts.onDropped()
  }

  readonly #onCaughtUp = (): void => {
    if (!this.isBehind) return
    this.isBehind = false
    this.#parts.pressure.eased()
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

  /** The process is gone, or about to be: nobody waits for it. */
  close(): void {
    this.flush()
    this.#socket.end()
    this.#onCaughtUp()
  }
}
