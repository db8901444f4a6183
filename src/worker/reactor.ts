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
import type { Connections } from '../net/connections.ts'
import { DatagramListener, lookupLiteral } from '../net/datagram-listener.ts'
import { Drain } from '../net/drain.ts'
import { Lag } from '../net/lag.ts'
import type { Listener } from '../net/listener.ts'
import { type DatagramHandle, receiveOn, type StreamHandle } from '../net/node-internals.ts'
import type { SharedCounts } from '../net/occupancy.ts'
import { Outbox } from '../net/outbox.ts'
import { Port } from '../net/port.ts'
import { UnixDatagram } from '../net/unix-datagram.ts'
import { applyOwnership } from '../net/unix-path.ts'
import { Acceptor } from './acceptor.ts'
import { createListener } from './create-listener.ts'
import type { LoadedPort } from './loaded-port.ts'

// How long the handlers may take over connections that were cut when a stop had waited long enough. The master waits a second.
const CUT_MS = 500

/** Of all ports of a worker: what is equal at two times has not changed meanwhile. */
export interface Activity {
  /** Of all that is counted, since the start. */
  readonly numEvents: number
  /** Connections. */
  readonly numOpen: number
}

/** One configured port of this worker. */
interface Entry {
  readonly config: PortConfig
  readonly ports: readonly [Port, ...Port[]]
  readonly acceptor: Acceptor
  /** Missing on a udp port that is not open yet. */
  listener: Listener | undefined
}

/** Opens one listener per configured port and sends each one's events to its handler. */
export class Reactor {
  readonly #entries = new Map<string, Entry>()
  readonly #config: Config
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
    const { onAccepted, onRested } = parts
    const outbox = new Outbox(parts.daemon.log)
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
      const acceptor = new Acceptor({
        port,
        listener,
        config,
        onAccepted: (connections) => onAccepted(config.name, connections),
        onRested: onRested && (() => onRested(config.name)),
      })
      this.#entries.set(config.name, { config, ports: upgradePort === undefined ? [port] : [port, upgradePort], acceptor, listener })
    }
  }

  get ports(): Port[] {
    return [...this.#entries.values()].map(({ ports: [port] }) => port)
  }

  get activity(): Activity {
    let numEvents = 0
    let numOpen = 0
    for (const { ports } of this.#entries.values()) {
      for (const { counters, sockets } of ports) {
        numEvents += counters.accepted + counters.messagesIn + counters.messagesOut + counters.errors
        numOpen += sockets.size
      }
    }
    return { numEvents, numOpen }
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
      const socket =
        handle === undefined
          ? new UnixDatagram(address, this.#config.file)
          : await receiveOn(handle as DatagramHandle, { type: address.startsWith('[') ? 'udp6' : 'udp4', lookup: lookupLiteral as never })
      entry.listener = new DatagramListener(entry.ports[0], socket, accessRule(entry.config))
      if (handle === undefined) await applyOwnership(address, entry.config)
      return
    }
    if (handle !== undefined) entry.acceptor.open(handle as StreamHandle)
  }

  /** Takes a connection that the master has accepted. */
  adopt(name: string, client: StreamHandle, waitedMs: number): void {
    const entry = this.#entries.get(name)
    // It was accepted before a reload took the port away, and its worker has died with it.
    if (entry === undefined) return client.close()
    entry.acceptor.adopt(client, waitedMs)
  }

  /** Accepts nothing more on this port until it is opened again. */
  pauseAccepting(name: string): void {
    this.#entry(name).acceptor.pause()
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
      entry.acceptor.leave()
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
    for (const { acceptor } of entries) acceptor.stop()
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
