import type { EventEmitter } from 'node:events'
import type { DatagramHandle, StreamHandle } from './node-internals.ts'

/** The line between a process and its child, on either side. */
export type Channel = Pick<EventEmitter, 'prependListener'> & {
  send?(message: never, handle: never, options: undefined, onWritten: (error: Error | null) => void): unknown
}

interface Internals {
  /** What waits until the other side has said that it has a handle; null when nothing need wait. */
  _handleQueue: unknown[] | null | undefined
}

export interface HandleWatcher {
  /** The kernel has it: this process may close its own. */
  readonly onWritten?: () => void
  /** It could not be sent, or the other side had no descriptor for it and dropped the message. */
  readonly onLost?: () => void
}

interface Sent extends HandleWatcher {
  readonly mayOverlap: boolean
}

/**
 * Sends messages with handles to another process. Node has each wait until the other side has said that it has the one before, and all other
 * messages too: when both are busy that takes milliseconds a handle. Here connections that move may leave one right behind the other.
 *
 * What is to be known of that: the kernel gives at most one handle in a read, with the last message in it. Should a read end in the midst of
 * a message with a handle, and the next read bring another one, Node gives the second handle to the first message, and drops the second. It
 * takes 64 KiB of messages that have not been read; whoever receives a handle that may overlap compares what it is (`identityOf`).
 *
 * One of the files that touch what Node does not document: `_handleQueue`, and the `internalMessage` by which the other side answers.
 */
export class HandleLine {
  readonly #channel: Channel
  /** Not yet acknowledged, in their order. */
  readonly #sent: Sent[] = []
  #numStrict = 0

  constructor(channel: Channel) {
    this.#channel = channel
    // Before Node's own listener, which takes it for granted that there is a queue.
    channel.prependListener('internalMessage', this.#onInternal)
  }

  /** @param onWritten gets null when the kernel has the message */
  send(message: object, onWritten: (error: Error | null) => void): void {
    if (this.#numStrict === 0) this.#passQueue()
    this.#channel.send?.(message as never, undefined as never, undefined, onWritten)
  }

  sendHandle(
    message: object,
    handle: StreamHandle | DatagramHandle,
    { mayOverlap, onWritten, onLost }: HandleWatcher & { mayOverlap: boolean },
    onError: (error: Error) => void,
  ): void {
    if (mayOverlap && this.#numStrict === 0) this.#passQueue()
    const sent = { mayOverlap, ...(onLost && { onLost }) }
    this.#sent.push(sent)
    if (!mayOverlap) this.#numStrict++
    this.#channel.send?.(message as never, handle as never, undefined, (error) => {
      if (error !== null) {
        this.#forget(sent)
        onError(error)
        onLost?.()
      }
      onWritten?.()
    })
  }

  #passQueue(): void {
    const internals = this.#channel as unknown as Internals
    if (internals._handleQueue?.length === 0) internals._handleQueue = null
  }

  readonly #onInternal = ({ cmd }: { cmd?: string }): void => {
    if (cmd !== 'NODE_HANDLE_ACK' && cmd !== 'NODE_HANDLE_NACK') return
    const internals = this.#channel as unknown as Internals
    internals._handleQueue ??= []
    const [sent] = this.#sent
    if (sent === undefined) return
    this.#forget(sent)
    if (cmd === 'NODE_HANDLE_NACK') sent.onLost?.()
  }

  #forget(sent: Sent): void {
    const at = this.#sent.indexOf(sent)
    if (at === -1) return
    this.#sent.splice(at, 1)
    if (!sent.mayOverlap) this.#numStrict--
  }
}
