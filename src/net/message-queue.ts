import type { SocketConnection } from './connection.ts'
import type { ConnectionCallbacks } from './connection-context.ts'

// An async handler may fall this many messages behind before its client is no longer read: enough to keep it busy.
const QUEUE_LENGTH = 16

/** The messages of one connection that wait for a promise of its handler. Made when the first promise comes; most handlers return none. */
export class MessageQueue {
  #waiting: (string | Buffer)[] = []
  #isBusy = false

  /** Whether a message must wait. */
  get isBusy(): boolean {
    return this.#isBusy
  }

  /** @returns whether the client is to be read no more until the queue has been worked off */
  add(message: string | Buffer): boolean {
    this.#waiting.push(message)
    return this.#waiting.length >= QUEUE_LENGTH
  }

  /** Waits for `promise`, then handles what has come meanwhile, one after another. `onEmpty` is called each time all was handled. */
  async work(promise: Promise<void>, connection: SocketConnection, callbacks: ConnectionCallbacks, onEmpty: () => void): Promise<void> {
    this.#isBusy = true
    await promise
    while (this.#waiting.length > 0) {
      const messages = this.#waiting
      this.#waiting = []
      for (const message of messages) await callbacks.receive(connection, message)
      onEmpty()
    }
    this.#isBusy = false
  }
}
