import type { CloseReason } from '../contracts/close-reason.ts'
import { HandlerCallbacks } from './callbacks.ts'
import type { SocketConnection } from './connection.ts'
import type { ConnectionCallbacks } from './connection-context.ts'
import type { Port } from './port.ts'
import type { Wire } from './wire.ts'

// How often connections that wait are looked at. A rate above this is held by letting several messages pass at a time.
const INTERVAL_MS = 20

// What one read brings of messages that are held back may take so long to be worked off, and may be so many anyhow.
const MAX_WAIT_SECONDS = 60
const MIN_WAITING = 16

/** The callbacks of a port's handler, held to the port's rate where it has one. */
export function callbacksOf(port: Port, wire: Wire): ConnectionCallbacks {
  const callbacks = new HandlerCallbacks(port, wire)
  const { messagesPerSecond } = port.limits
  return messagesPerSecond === undefined ? callbacks : new MessageRate(callbacks, messagesPerSecond)
}

interface Resting {
  readonly until: number
  readonly wake: () => void
}

/**
 * Callbacks of a port with `limits.messagesPerSecond`. A connection that has used up its rate gets a promise that resolves when it may go on, and so is
 * treated as one whose handler takes time: its messages wait in order, then it is not read. Ports without the limit do not come by here.
 */
export class MessageRate implements ConnectionCallbacks {
  readonly maxWaiting: number
  readonly #callbacks: ConnectionCallbacks
  readonly #intervalMs: number
  readonly #burstMs: number
  readonly #resting = new Map<SocketConnection, Resting>()
  #timer: NodeJS.Timeout | undefined

  constructor(callbacks: ConnectionCallbacks, perSecond: number) {
    this.maxWaiting = Math.max(MIN_WAITING, Math.ceil(perSecond * MAX_WAIT_SECONDS))
    this.#callbacks = callbacks
    this.#intervalMs = 1000 / perSecond
    // A second's worth may come at once.
    this.#burstMs = (Math.max(1, Math.ceil(perSecond)) - 1) * this.#intervalMs
  }

  receive(connection: SocketConnection, message: string | Buffer): Promise<void> | undefined {
    const promise = this.#callbacks.receive(connection, message)
    const now = performance.now()
    // The generic cell rate algorithm: when all messages so far would have come, at the rate.
    connection.rateDue = Math.max(connection.rateDue, now) + this.#intervalMs
    const until = connection.rateDue - this.#burstMs
    // Of one that closes, what has come is all there is.
    if (until <= now || !connection.isOpen) return promise
    const rest = this.#rest(connection, until)
    return promise === undefined ? rest : promise.then(() => rest)
  }

  /** It is to close, or to move to another worker: it waits no longer. */
  wake(connection: SocketConnection): void {
    this.#goOn(connection)
    this.#callbacks.wake?.(connection)
  }

  #goOn(connection: SocketConnection): void {
    this.#resting.get(connection)?.wake()
    this.#resting.delete(connection)
  }

  opened(connection: SocketConnection, request?: unknown): Promise<void> | undefined {
    return this.#callbacks.opened(connection, request)
  }

  drained(connection: SocketConnection): void {
    this.#callbacks.drained(connection)
  }

  handedOver(connection: SocketConnection): Promise<void> | undefined {
    return this.#callbacks.handedOver(connection)
  }

  closed(connection: SocketConnection, reason: CloseReason): Promise<void> | undefined {
    return this.#callbacks.closed(connection, reason)
  }

  #rest(connection: SocketConnection, until: number): Promise<void> {
    // One timer for all, while there are any.
    this.#timer ??= setInterval(() => this.#look(), INTERVAL_MS)
    return new Promise((wake) => this.#resting.set(connection, { until, wake }))
  }

  #look(): void {
    const now = performance.now()
    for (const [connection, { until }] of this.#resting) if (until <= now) this.#goOn(connection)
    if (this.#resting.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
