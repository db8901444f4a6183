import type { Socket } from 'node:net'
import type { HeartbeatConfig } from '../config/admission-schema.ts'
import type { LimitsConfig } from '../config/limits-schema.ts'
import type { Protocol } from '../config/schema.ts'
import type { CloseReason } from '../contracts/close-reason.ts'
import type { Daemon, PortInfo } from '../contracts/daemon.ts'
import type { Handler } from '../contracts/handlers.ts'
import type { Logger } from '../contracts/logger.ts'
import type { BusPressure } from '../ipc/bus-pressure.ts'
import { PortCounters, type PortReport } from '../metrics/port-counters.ts'
import type { Ticket } from '../shared/connection-counts.ts'
import { shows } from '../shows.ts'
import type { PeerAddress } from './address.ts'
import { AddressList } from './address-list.ts'
import { Heartbeat } from './heartbeat.ts'
import type { Lag } from './lag.ts'
import { Occupancy, type SharedCounts } from './occupancy.ts'

/** What a connection is to its port, apart from what it is to its handler. It goes along when it moves to another worker. */
export interface Standing {
  /** What it counts for in the limits. */
  readonly ticket: Ticket | undefined
  /** How long it has sent nothing, where the port has a heartbeat. */
  readonly silentMs: number
}

/** What a port is made of. */
export interface PortParts {
  readonly name: string
  readonly protocol: Protocol
  readonly limits: LimitsConfig
  readonly options: Record<string, unknown>
  readonly handler: Handler
  readonly daemon: Daemon
  readonly log: Logger
  /** Whose `X-Forwarded-For` is believed. */
  readonly trustedProxies?: readonly string[] | undefined
  /** Connections over all workers. */
  readonly counts: SharedCounts
  readonly heartbeat?: HeartbeatConfig | undefined
  /** Of this worker; missing where no port has a limit for it. */
  readonly lag: Lag | undefined
  readonly pressure: BusPressure
  /** The http port whose WebSocket path this is: both count together, and share their sockets. */
  readonly partner?: Port
}

/** One port of one worker: its handler, what it counts, and its open sockets. */
export class Port implements PortInfo {
  static {
    shows(Port, 'Port', ['name', 'protocol', 'address', 'connections'])
  }

  readonly name: string
  readonly protocol: Protocol
  readonly limits: LimitsConfig
  readonly handler: Handler
  readonly log: Logger
  readonly daemon: Daemon
  readonly counters: PortCounters
  readonly trustedProxies: AddressList | undefined
  readonly occupancy: Occupancy
  readonly heartbeat: Heartbeat | undefined
  /** Of what is sent to other processes. */
  readonly pressure: BusPressure
  readonly #lag: Lag | undefined
  readonly #maxLagMs: number
  /** Every socket that came in by this port and is not closed, upgraded ones too. */
  readonly sockets: Set<Socket>
  /** When the handler was last given control, in `performance.now()` milliseconds; durations count from here. */
  clock = 0
  #address = ''
  #isStarted = false
  #running = 0
  #onIdle: (() => void) | undefined
  #partner: Port | undefined

  constructor(parts: PortParts) {
    this.name = parts.name
    this.protocol = parts.protocol
    this.limits = parts.limits
    this.handler = parts.handler
    this.counters = parts.partner?.counters ?? new PortCounters()
    this.sockets = parts.partner?.sockets ?? new Set()
    this.trustedProxies = parts.partner?.trustedProxies ?? (parts.trustedProxies && new AddressList(parts.trustedProxies))
    this.occupancy =
      parts.partner?.occupancy ??
      new Occupancy({ port: parts.name, limits: parts.limits, counts: parts.counts, log: parts.log, trustedProxies: this.trustedProxies })
    this.heartbeat = parts.partner?.heartbeat ?? (parts.heartbeat && new Heartbeat({ sockets: this.sockets, config: parts.heartbeat }))
    this.#maxLagMs = parts.partner?.limits.maxLagMs ?? parts.limits.maxLagMs ?? Number.POSITIVE_INFINITY
    this.#lag = this.#maxLagMs === Number.POSITIVE_INFINITY ? undefined : parts.lag
    this.daemon = parts.daemon
    this.pressure = parts.pressure
    this.#partner = parts.partner
    if (parts.partner !== undefined) parts.partner.#partner = this
    this.log = parts.log.child({ port: parts.name })
    const members = { daemon: parts.daemon, port: this, options: parts.options, log: this.log }
    for (const [key, value] of Object.entries(members)) Object.defineProperty(parts.handler, key, { value, configurable: true })
  }

  get address(): string {
    return this.#address
  }

  get connections(): number {
    return this.sockets.size
  }

  /** The first stage of overload: what is open is served, but HTTP connections are not kept. */
  get isBusy(): boolean {
    return this.#lag !== undefined && this.#lag.ms > this.#maxLagMs / 2
  }

  /** The second stage: nobody new is let in. */
  get isOverloaded(): boolean {
    return this.#lag !== undefined && this.#lag.ms > this.#maxLagMs
  }

  /** Clients are turned away as they would have had to wait for so long. */
  lateFor(waitMs: number): void {
    this.#lag?.turnedAway(waitMs)
  }

  opened(address: string): void {
    this.#address = address
  }

  /** @throws what the handler's `onStart` throws */
  async start(): Promise<void> {
    await this.handler.onStart?.()
    this.#isStarted = true
    this.heartbeat?.start()
  }

  async stop(): Promise<void> {
    this.heartbeat?.stop()
    if (!this.#isStarted) return
    this.#isStarted = false
    try {
      await this.handler.onStop?.()
    } catch (error) {
      this.failed(error, 'onStop')
    }
  }

  /** A client that was let in has its socket. */
  enter(socket: Socket, peer: PeerAddress): void {
    this.sockets.add(socket)
    this.occupancy.hold(socket, peer.address)
    this.heartbeat?.enter(socket)
    this.counters.accepted++
  }

  /** What was a client's socket is now under this one: its handshake is done. */
  replace(old: Socket, socket: Socket): void {
    this.sockets.delete(old)
    this.sockets.add(socket)
    this.occupancy.replace(old, socket)
    this.heartbeat?.enter(socket)
  }

  /** @param details for the log */
  refused(reason: CloseReason, details?: object): void {
    this.counters.refuse(reason)
    this.log.debug({ reason, ...details }, 'Connection refused')
  }

  /** The socket has closed: its bytes join the totals. */
  released(socket: Socket, reason: CloseReason): void {
    if (!this.sockets.delete(socket)) return
    this.occupancy.released(socket)
    this.counters.bytesIn += socket.bytesRead
    this.counters.bytesOut += socket.bytesWritten
    this.counters.close(reason)
    this.#checkIdle()
    if (this.#partner !== undefined) this.#partner.#checkIdle()
  }

  standingOf(socket: Socket): Standing {
    return { ticket: this.occupancy.ticketOf(socket), silentMs: this.heartbeat?.silentMs(socket) ?? 0 }
  }

  /** The socket goes on in another worker: what it has carried here joins the totals. @param unsent bytes that are written there */
  letGo(socket: Socket, unsent: number): void {
    if (!this.sockets.delete(socket)) return
    this.occupancy.letGo(socket)
    this.counters.bytesIn += socket.bytesRead
    this.counters.bytesOut += socket.bytesWritten - unsent
    this.#checkIdle()
    if (this.#partner !== undefined) this.#partner.#checkIdle()
  }

  /** A socket comes from another worker, which has admitted it. */
  takeOver(socket: Socket, { owner, standing }: { readonly owner: number; readonly standing: Standing }, address: string): void {
    this.sockets.add(socket)
    this.occupancy.takeOver(socket, { owner, ticket: standing.ticket }, address)
    this.heartbeat?.takeOver(socket, standing.silentMs)
  }

  /** Something of the handler's is under way: the port is not idle before its `finish`. */
  begin(): void {
    this.#running++
  }

  finish(): void {
    this.#running--
    this.#checkIdle()
  }

  /** Waits for a promise of the handler; its rejection is reported, never thrown. */
  async settle(result: PromiseLike<unknown>, callback: string, fd?: number): Promise<boolean> {
    this.begin()
    try {
      await result
      return true
    } catch (error) {
      this.failed(error, callback, fd)
      return false
    } finally {
      this.finish()
    }
  }

  /** Resolves when no socket is open, every `onClose` has ended and no promise of the handler is pending. */
  whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve
      this.#checkIdle()
    })
  }

  #checkIdle(): void {
    if (this.#onIdle !== undefined && this.sockets.size === 0 && this.#running === 0) this.#onIdle()
  }

  /** A callback of the handler threw or rejected: it ends nothing else. */
  failed(error: unknown, callback: string, fd?: number): void {
    this.counters.errors++
    this.log.error({ err: error, handler: this.handler.constructor.name, callback, ...(fd !== undefined && { fd }) }, `Handler failed in ${callback}`)
  }

  /** What was counted so far, the sockets that are still open included. */
  report(): PortReport {
    const report = this.counters.report(this)
    let { bytesIn, bytesOut } = report
    for (const socket of this.sockets) {
      bytesIn += socket.bytesRead
      bytesOut += socket.bytesWritten
    }
    return { ...report, connections: this.sockets.size, bytesIn, bytesOut }
  }
}
