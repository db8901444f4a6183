import type { CloseReason } from '../contracts/close-reason.ts'
import type { BusPressure } from '../ipc/bus-pressure.ts'
import type { SocketConnection } from './connection.ts'
import type { ConnectionCallbacks } from './connection-context.ts'
import { isPromise } from './is-promise.ts'
import { PausedBy } from './paused-by.ts'
import type { Port } from './port.ts'
import type { Wire } from './wire.ts'

type Callback = (connection: SocketConnection, argument?: unknown) => unknown

/** The callbacks of a TCP or WebSocket handler: guarded, counted and timed, so that what they throw ends nothing else. */
export class HandlerCallbacks implements ConnectionCallbacks {
  readonly maxWaiting: number = Number.POSITIVE_INFINITY
  readonly #port: Port
  readonly #pressure: BusPressure
  readonly #wire: Wire
  readonly #onOpen: Callback | undefined
  readonly #onMessage: Callback
  readonly #onDrain: Callback | undefined
  readonly #onHandover: Callback | undefined
  readonly #onClose: Callback | undefined

  constructor(port: Port, wire: Wire) {
    const handler = port.handler as unknown as Record<string, Callback | undefined>
    this.#port = port
    this.#pressure = port.pressure
    this.#wire = wire
    this.#onOpen = handler[wire.onOpen]
    this.#onMessage = handler[wire.onMessage] as Callback
    this.#onDrain = handler['onDrain']
    this.#onHandover = handler['onHandover']
    this.#onClose = handler['onClose']
  }

  opened(connection: SocketConnection, request?: unknown): Promise<void> | undefined {
    if (this.#onOpen === undefined) return undefined
    const { late } = this.#pressure
    const promise = this.#call(this.#onOpen, this.#wire.onOpen, connection, request)
    return this.#pressure.late === late ? promise : this.#hold(connection, late, promise)
  }

  receive(connection: SocketConnection, message: string | Buffer): Promise<void> | undefined {
    const port = this.#port
    const start = port.clock
    const { late } = this.#pressure
    let result: unknown
    try {
      result = this.#onMessage.call(port.handler, connection, message)
    } catch (error) {
      this.#failed(error, this.#wire.onMessage, connection)
    }
    const now = performance.now()
    port.clock = now
    const promise = isPromise(result) ? this.#timed(result, connection, start) : undefined
    if (promise === undefined) port.counters.handler.observeMs(now - start)
    return this.#pressure.late === late ? promise : this.#hold(connection, late, promise)
  }

  /** It is to close, or to move to another worker: it waits no longer. */
  wake(connection: SocketConnection): void {
    this.#pressure.wake(connection)
  }

  /** By this message something was sent to a process that is behind: its sender is not read until that one has caught up. */
  async #hold(connection: SocketConnection, late: number, promise: Promise<void> | undefined): Promise<void> {
    if (!connection.isOpen) return promise
    const isEased = this.#pressure.caughtUp(late, connection)
    connection.inbox.pause(PausedBy.bus)
    await promise
    await isEased
    connection.inbox.resume(PausedBy.bus)
  }

  drained(connection: SocketConnection): void {
    if (this.#onDrain !== undefined) this.#call(this.#onDrain, 'onDrain', connection)
  }

  /** A failure here ends no connection, of whatever protocol: a reload disconnects nobody. */
  handedOver(connection: SocketConnection): Promise<void> | undefined {
    if (this.#onHandover === undefined) return undefined
    try {
      const result = this.#onHandover.call(this.#port.handler, connection)
      if (isPromise(result)) return this.#port.settle(result, 'onHandover', connection.fd).then(ignore)
    } catch (error) {
      this.#port.failed(error, 'onHandover', connection.fd)
    }
    return undefined
  }

  closed(connection: SocketConnection, reason: CloseReason): Promise<void> | undefined {
    this.#port.log.debug({ fd: connection.fd, reason }, 'Connection closed')
    return this.#onClose === undefined ? undefined : this.#call(this.#onClose, 'onClose', connection, reason)
  }

  #call(callback: Callback, name: string, connection: SocketConnection, argument?: unknown): Promise<void> | undefined {
    try {
      const result = callback.call(this.#port.handler, connection, argument)
      if (isPromise(result)) return this.#settled(result, name, connection)
    } catch (error) {
      this.#failed(error, name, connection)
    }
    return undefined
  }

  async #timed(result: PromiseLike<unknown>, connection: SocketConnection, start: number): Promise<void> {
    await this.#settled(result, this.#wire.onMessage, connection)
    const now = performance.now()
    this.#port.counters.handler.observeMs(now - start)
    // The next message of the queue begins now.
    this.#port.clock = now
  }

  async #settled(result: PromiseLike<unknown>, name: string, connection: SocketConnection): Promise<void> {
    const isDone = await this.#port.settle(result, name, connection.fd)
    if (!isDone && this.#wire.endsOnFailure) connection.end('error')
  }

  #failed(error: unknown, name: string, connection: SocketConnection): void {
    this.#port.failed(error, name, connection.fd)
    if (this.#wire.endsOnFailure) connection.end('error')
  }
}

// It has been reported.
function ignore(): void {}
