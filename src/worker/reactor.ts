import type { Config, PortConfig } from '../config/schema.ts'
import type { Message } from '../contracts/connection.ts'
import type { Daemon } from '../contracts/daemon.ts'
import type { Logger } from '../contracts/logger.ts'
import { BindError } from '../errors.ts'
import type { LeavingPort } from '../handover/departure.ts'
import type { BusPressure } from '../ipc/bus-pressure.ts'
import type { LeaveOrder } from '../ipc/messages.ts'
import type { PortReport } from '../metrics/port-counters.ts'
import { accessRule } from '../net/address-list.ts'
import { Admission } from '../net/admission.ts'
import { bindError } from '../net/bind-error.ts'
import type { Connections } from '../net/connections.ts'
import { DatagramListener, lookupLiteral } from '../net/datagram-listener.ts'
import { Drain } from '../net/drain.ts'
import { Lag } from '../net/lag.ts'
import type { Listener } from '../net/listener.ts'
import { acceptOn, type DatagramHandle, receiveOn, type StreamHandle } from '../net/node-internals.ts'
import type { SharedCounts } from '../net/occupancy.ts'
import { Outbox } from '../net/outbox.ts'
import { Port } from '../net/port.ts'
import { UnixDatagram } from '../net/unix-datagram.ts'
import { applyOwnership } from '../net/unix-path.ts'
import { createListener } from './create-listener.ts'
import { lowestFree, reservedFrom } from './descriptor-limit.ts'
import type { LoadedPort } from './loaded-port.ts'

// How long accept(2) rests when descriptors run out: some must be closed first, trying at once cannot help.
const ACCEPT_REST_MS = 100

// How long the handlers may take over connections that were cut when a stop had waited long enough. The master waits a second.
const CUT_MS = 500

/** One configured port of this worker. */
interface Entry {
  readonly config: PortConfig
  readonly ports: readonly Port[]
  readonly admission: Admission
  /** Missing on a udp port that is not open yet. */
  listener: Listener | undefined
  /** The worker's copy of the listening socket. */
  handle: StreamHandle | undefined
  /** Runs while descriptors are short: asks for another copy. */
  rest: NodeJS.Timeout | undefined
}

/** Opens one listener per configured port and sends each one's events to its handler. */
export class Reactor {
  readonly #entries = new Map<string, Entry>()
  readonly #config: Config
  readonly #onAccepted: (port: string, connections: number) => void
  readonly #onRested: ((port: string) => void) | undefined
  readonly #reservedFrom = reservedFrom()
  readonly #log: Logger
  readonly #onOverload: () => void
  readonly #lag: Lag | undefined
  #drain: Drain | undefined

  constructor(parts: {
    config: Config
    loaded: readonly LoadedPort[]
    daemon: Daemon
    connections: Connections
    counts: SharedCounts
    pressure: BusPressure
    onAccepted: (port: string, connections: number) => void
    /** Asks for the port to be opened again, if there is somebody to ask: its listening socket was let go of, as descriptors ran out. */
    onRested: ((port: string) => void) | undefined
    /** New connections are refused from now on, or let in again. */
    onOverload: () => void
  }) {
    this.#config = parts.config
    this.#onAccepted = parts.onAccepted
    this.#onRested = parts.onRested
    const outbox = new Outbox()
    const maxLags = parts.loaded.flatMap(({ config }) => config.limits.maxLagMs ?? [])
    if (maxLags.length > 0) this.#lag = new Lag({ limitMs: Math.min(...maxLags), onChange: (isOverloaded, ms) => this.#overload(isOverloaded, ms) })
    this.#log = parts.daemon.log
    this.#onOverload = parts.onOverload
    for (const loaded of parts.loaded) {
      const { config, handler } = loaded
      const port = new Port({ ...config, counts: parts.counts, lag: this.#lag, pressure: parts.pressure, handler, daemon: parts.daemon, log: parts.daemon.log })
      const upgradePort =
        loaded.webSocketHandler === undefined || config.websocket === undefined
          ? undefined
          : new Port({
              name: config.name,
              protocol: 'websocket',
              limits: config.websocket.limits,
              options: config.websocket.options,
              handler: loaded.webSocketHandler,
              counts: parts.counts,
              lag: this.#lag,
              pressure: parts.pressure,
              daemon: parts.daemon,
              log: parts.daemon.log,
              partner: port,
            })
      const listener = createListener({ loaded, port, upgradePort, outbox, connections: parts.connections, serverHeader: parts.config.serverHeader })
      const ports = upgradePort === undefined ? [port] : [port, upgradePort]
      this.#entries.set(config.name, { config, ports, admission: new Admission({ port, listener, config }), listener, handle: undefined, rest: undefined })
    }
  }

  get ports(): Port[] {
    return [...this.#entries.values()].map((entry) => entry.ports[0] as Port)
  }

  /** Another text whenever a port has counted something. */
  get activity(): string {
    return this.ports
      .map(({ counters: { accepted, messagesIn, messagesOut, errors }, sockets }) => [accepted, messagesIn, messagesOut, errors, sockets.size])
      .join()
  }

  /** Whether new connections are refused as the event loop lags too far behind. */
  get isOverloaded(): boolean {
    return this.#lag?.isOverloaded === true
  }

  report(): PortReport[] {
    return this.ports.map((port) => port.report())
  }

  /** Runs every handler's `onStart`. @throws the first failure, with the port that it belongs to as `port` */
  async start(): Promise<void> {
    for (const { config, ports } of this.#entries.values()) {
      for (const port of ports) {
        try {
          await port.start()
        } catch (error) {
          throw Object.assign(new Error(`onStart failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error }), { port: config })
        }
      }
    }
    this.#lag?.start()
  }

  /**
   * Opens a port on a handle that is bound already: a stream is accepted from here, a datagram socket received from here.
   * @throws BindError
   */
  async open(name: string, handle: StreamHandle | DatagramHandle | undefined, address: string): Promise<void> {
    const entry = this.#entry(name)
    for (const port of entry.ports) port.opened(address)
    if (entry.config.protocol === 'udp') {
      const port = entry.ports[0] as Port
      const socket =
        handle === undefined
          ? new UnixDatagram(address, this.#config.file)
          : await receiveOn(handle as DatagramHandle, { type: address.startsWith('[') ? 'udp6' : 'udp4', lookup: lookupLiteral as never })
      entry.listener = new DatagramListener(port, socket, accessRule(entry.config))
      if (handle === undefined) await applyOwnership(address, entry.config)
      return
    }
    if (handle === undefined) return
    this.#release(entry)
    entry.handle = handle as StreamHandle
    if (entry.rest !== undefined) {
      if (lowestFree() >= this.#reservedFrom) return this.#rest(entry)
      ;(entry.ports[0] as Port).log.info('Accepting again')
    }
    clearInterval(entry.rest)
    entry.rest = undefined
    this.#accept(entry, entry.handle)
  }

  /** Takes a connection that the master has accepted. */
  adopt(name: string, client: StreamHandle, waitedMs: number): void {
    const entry = this.#entries.get(name)
    // It was accepted before a reload took the port away, and its worker has died with it.
    if (entry === undefined) return client.close()
    if (this.#isReserved(client)) this.#refuse(entry, client)
    else entry.admission.dealt(client, waitedMs)
  }

  /** Accepts nothing more on this port until it is opened again. */
  pauseAccepting(name: string): void {
    this.#release(this.#entry(name))
  }

  listener(name: string): Listener | undefined {
    return this.#entries.get(name)?.listener
  }

  /** The ports whose connections could go to another worker. */
  *[Symbol.iterator](): Iterator<LeavingPort> {
    for (const [name, { listener }] of this.#entries) if (listener?.movables !== undefined) yield { name, movables: () => listener.movables?.() ?? [] }
  }

  /** Another worker accepts and receives from now on. Says when no connection is left here: `whenIdle`. */
  leave(): void {
    for (const entry of this.#entries.values()) {
      this.#release(entry)
      clearInterval(entry.rest)
      entry.listener?.leave?.()
    }
  }

  /** What has not moved is served for a while, and then closed. */
  drain({ maxWaitSeconds, spreadSeconds }: LeaveOrder): void {
    this.#drain ??= new Drain({ listeners: this.#listeners, maxWaitMs: maxWaitSeconds * 1000, spreadMs: spreadSeconds * 1000, isStop: false })
  }

  /** Resolves when no connection is open and no callback of a handler is under way. */
  async whenIdle(): Promise<void> {
    await Promise.all([...this.#entries.values()].flatMap(({ ports }) => ports.map((port) => port.whenIdle())))
  }

  /** Sends a datagram; false when there is no udp port of that name. */
  sendTo(name: string, to: { address: string; port: number }, data: Message): boolean {
    const listener = this.#entries.get(name)?.listener
    if (!(listener instanceof DatagramListener)) return false
    listener.send(data, to.port, to.address)
    return true
  }

  /** Stops accepting, ends connections in good order, spread if the config says so, and after `maxWaitMs` what is still there. */
  async stop(maxWaitMs: number): Promise<void> {
    const end = performance.now() + maxWaitMs
    const entries = [...this.#entries.values()]
    this.#drain?.stop()
    this.#lag?.stop()
    for (const entry of entries) {
      this.#release(entry)
      clearInterval(entry.rest)
      entry.admission.stop()
    }
    const ports = entries.flatMap((entry) => entry.ports)
    const idle = Promise.all(ports.map((port) => port.whenIdle()))
    await this.#spread(Math.min((this.#config.spreadSeconds ?? 0) * 1000, maxWaitMs), idle)
    for (const listener of this.#listeners) listener.stop()
    await within(Math.max(0, end - performance.now()), idle)
    for (const listener of this.#listeners) listener.destroy()
    // What was cut has its onClose too.
    await within(CUT_MS, idle)
    for (const port of ports) await port.stop()
  }

  get #listeners(): Listener[] {
    return [...this.#entries.values()].flatMap(({ listener }) => (listener === undefined ? [] : [listener]))
  }

  async #spread(ms: number, idle: Promise<unknown>): Promise<void> {
    if (ms === 0) return
    const drain = new Drain({ listeners: this.#listeners, maxWaitMs: ms, spreadMs: ms, isStop: true })
    await within(ms, idle)
    drain.stop()
  }

  #overload(isOverloaded: boolean, ms: number): void {
    const lagMs = Math.round(ms)
    if (isOverloaded) this.#log.warn({ lagMs }, 'Overloaded: new connections are refused')
    else this.#log.info({ lagMs }, 'No longer overloaded')
    this.#onOverload()
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name)
    if (entry === undefined) throw new BindError(`Cannot open port "${name}": this worker does not have it`)
    return entry
  }

  #accept(entry: Entry, handle: StreamHandle): void {
    const { admission, config } = entry
    const port = entry.ports[0] as Port
    const status = acceptOn(
      handle,
      (client) => {
        const isReserved = this.#isReserved(client)
        if (isReserved && this.#onRested === undefined) return this.#refuse(entry, client)
        admission.accepted(client)
        this.#onAccepted(config.name, port.sockets.size)
        if (isReserved) this.#rest(entry)
      },
      (errno) => {
        port.refused('error')
        port.log.warn({ errno }, 'Cannot accept a connection')
        this.#rest(entry)
      },
    )
    if (status !== 0) throw bindError(`port "${config.name}"`, port.address, status)
  }

  #isReserved(handle: StreamHandle): boolean {
    return handle.fd >= this.#reservedFrom
  }

  /** Lets go of the listening socket: whoever connects waits in the kernel's queue, or meets another worker. */
  #rest(entry: Entry): void {
    const onRested = this.#onRested
    if (onRested === undefined) return
    const port = entry.ports[0] as Port
    this.#release(entry)
    port.counters.rests++
    if (entry.rest !== undefined) return
    port.log.warn({ connections: port.connections }, 'Out of descriptors: accepting no more until some are closed')
    // Again and again: a message with a socket is lost when there is no descriptor for it.
    entry.rest = setInterval(onRested, ACCEPT_REST_MS, entry.config.name)
  }

  /** There is no room for a connection that is already here, and nobody else to take it. */
  #refuse(entry: Entry, client: StreamHandle): void {
    client.close()
    ;(entry.ports[0] as Port).refused('error')
  }

  #release(entry: Entry): void {
    entry.handle?.close()
    entry.handle = undefined
  }
}

/** Resolves when `done` does, and at the latest after that time. */
async function within(ms: number, done: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([done, late])
  clearTimeout(timer)
}
