import type { SocketConnection } from './connection.ts'
import type { ConnectionCallbacks } from './connection-context.ts'

// An async handler may fall this many messages behind before its client is no longer read: enough to keep it busy.
const QUEUE_LENGTH = 16

/** The messages of one connection that wait for a promise of its handler. Made when the first promise comes; most handlers return none. */
export class MessageQueue {
  #waiting: (string | Buffer)[] = []
  #isRunning = false
  #isHalted = false

  /** Whether a message must wait. */
  get isBusy(): boolean {
    return this.#isRunning || this.#isHalted
  }

  /** Whether a promise of the handler is pending. */
  get isRunning(): boolean {
    return this.#isRunning
  }

  /** What waits, in order. */
  get waiting(): readonly (string | Buffer)[] {
    return this.#waiting
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting = []
  }

  /** No further message is handled, until `goOn`. */
  halt(): void {
    this.#isHalted = true
  }

  goOn(): void {
    this.#isHalted = false
  }

  /** @returns whether the client is to be read no more until the queue has been worked off */
  add(message: string | Buffer): boolean {
    this.#waiting.push(message)
    return this.#waiting.length >= QUEUE_LENGTH
  }

  /**
   * Waits for `promise`, then handles what has come meanwhile, one after another. `onEmpty` is called each time all was handled.
   * @returns false when it was halted before the end
   */
  async work(promise: Promise<void> | undefined, connection: SocketConnection, callbacks: ConnectionCallbacks, onEmpty: () => void): Promise<boolean> {
    this.#isRunning = true
    await promise
    let next = 0
    while (next < this.#waiting.length && !this.#isHalted) {
      await callbacks.receive(connection, this.#waiting[next++] as string | Buffer)
      if (next < this.#waiting.length) continue
      this.#waiting = []
      next = 0
      onEmpty()
    }
    this.#waiting.splice(0, next)
    this.#isRunning = false
    return !this.#isHalted
  }
}
