import type { Sender } from './sender.ts'

/** Messages to the workers, of this daemon's own code to itself: anything that structured clone takes. In order between two processes. */
export interface Workers {
  /**
   * Sends one message to the worker in a slot; also to the caller's own.
   * @returns whether it was accepted for delivery: false when there is no such worker, or 64 MiB wait for it already
   * @throws DataCloneError when the message cannot be cloned
   */
  sendTo(slot: number, message: unknown): boolean
  /** Sends one message to every worker but the caller. @throws DataCloneError */
  broadcast(message: unknown): void
  /**
   * Has every message to this worker given to `callback`. What it throws is logged and counted. In a process that is no worker it is never called.
   * @returns a function that ends it
   */
  onMessage(callback: (message: unknown, from: Sender) => void | Promise<void>): () => void
}
