import type { SocketConnection } from './connection.ts'
import type { ConnectionCallbacks, Link } from './connection-context.ts'
import { MessageQueue } from './message-queue.ts'
import { PausedBy } from './paused-by.ts'

/** What comes in on one connection: whether it is read, and the messages that wait for a promise of its handler. */
export class Inbox {
  readonly #connection: SocketConnection
  readonly #link: Link
  readonly #callbacks: ConnectionCallbacks
  // Made when a callback first returns a promise.
  #queue: MessageQueue | null = null
  #pausedBy = 0

  constructor(connection: SocketConnection, link: Link, callbacks: ConnectionCallbacks) {
    this.#connection = connection
    this.#link = link
    this.#callbacks = callbacks
  }

  /** Whether messages must wait: a promise is pending, or nothing is to be handled any more. */
  get isBusy(): boolean {
    return this.#queue?.isBusy === true
  }

  /** Whether a promise of the handler is pending. */
  get isRunning(): boolean {
    return this.#queue?.isRunning === true
  }

  /** What waits, in order. */
  get waiting(): readonly (string | Buffer)[] {
    return this.#queue?.waiting ?? NOTHING
  }

  isPausedBy(whom: number): boolean {
    return (this.#pausedBy & whom) !== 0
  }

  /** `PausedBy` of all that keeps it from being read; 0 when nothing does. */
  get pausedBy(): number {
    return this.#pausedBy
  }

  get isPaused(): boolean {
    return this.#pausedBy !== 0
  }

  pause(by: number): void {
    if (this.#pausedBy === 0) this.#link.pause()
    this.#pausedBy |= by
  }

  resume(by: number): void {
    if ((this.#pausedBy & by) === 0) return
    this.#pausedBy &= ~by
    if (this.#pausedBy === 0) this.#link.resume()
  }

  /** Keeps a message until its turn comes. @returns false, and forgets all that waits, when that is more than the port's rate lets wait */
  add(message: string | Buffer): boolean {
    this.#queue ??= new MessageQueue()
    if (this.#queue.add(message)) this.pause(PausedBy.queue)
    if (this.#queue.waiting.length <= this.#callbacks.maxWaiting) return true
    this.#queue.clear()
    return false
  }

  /** Messages wait for `promise`. Resolves when all that came meanwhile was handled; with false when it was halted before. */
  work(promise: Promise<void> | undefined): Promise<boolean> {
    this.#queue ??= new MessageQueue()
    return this.#queue.work(promise, this.#connection, this.#callbacks, () => this.resume(PausedBy.queue))
  }

  /** No further message is handled, until `goOn`. */
  halt(): void {
    this.#queue ??= new MessageQueue()
    this.#queue.halt()
    this.#callbacks.wake?.(this.#connection)
  }

  /** @returns whether there are messages to be worked off */
  goOn(): boolean {
    this.#queue?.goOn()
    return !this.isRunning && this.waiting.length > 0
  }
}

const NOTHING: readonly (string | Buffer)[] = []
