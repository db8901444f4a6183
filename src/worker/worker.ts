import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../contracts/logger.ts'
import { Arrivals } from '../handover/arrivals.ts'
import { Departure } from '../handover/departure.ts'
import { Bus } from '../ipc/bus.ts'
import type { BusMessage, BusOrigin, BusPeer, LeaveOrder, MoveNote, WorkerStart } from '../ipc/messages.ts'
import { lazyRegistry } from '../metrics/lazy-registry.ts'
import { WorkerMetrics } from '../metrics/worker-metrics.ts'
import type { WorkerReport } from '../metrics/worker-report.ts'
import { Connections } from '../net/connections.ts'
import type { DatagramHandle, StreamHandle } from '../net/node-internals.ts'
import { counter } from '../shared/counter.ts'
import { FdAllocator } from '../shared/fd-allocator.ts'
import { Registry } from '../shared/registry.ts'
import { Store } from '../shared/store.ts'
import { createTables } from '../shared/tables.ts'
import { VERSION } from '../version.ts'
import { setCurrentDaemon } from './current-daemon.ts'
import type { LoadedPort } from './loaded-port.ts'
import { Reactor } from './reactor.ts'
import { WorkerDaemon } from './worker-daemon.ts'

const ARRIVAL_LOOK_MS = 5

export interface WorkerParts {
  readonly start: WorkerStart
  readonly loaded: readonly LoadedPort[]
  readonly log: Logger
  readonly onAccepted: (port: string, connections: number) => void
  /** The port has let go of its listening socket and asks for it again. Missing where there is nobody to ask. */
  readonly onRested?: (port: string) => void
  /** A handler has called `daemon.reload()`. */
  readonly onReload: () => Promise<void>
  /** A handler has called `daemon.stop()`. */
  readonly onStop: () => Promise<void>
  /** A connection leaves for another worker, by way of the master. */
  readonly onMove?: (move: MoveNote, handle: StreamHandle) => void
  /** Of this worker's connections, all that can move now have moved. */
  readonly onLeft?: () => void
}

/** One worker: composes what handlers receive. The same in a process of its own and inside a caller's (`createDaemon`). */
export class Worker {
  readonly daemon: WorkerDaemon
  readonly #store: Store
  readonly #bus: Bus
  readonly #reactor: Reactor
  readonly #metrics: WorkerMetrics
  readonly #hasBus: boolean
  readonly #connections: Connections
  readonly #arrivals: Arrivals
  readonly #departure: Departure

  constructor(parts: WorkerParts) {
    const { config, slot, owner, store: dir, bus } = parts.start
    this.#hasBus = bus !== undefined
    this.#store = Store.open({ dir })
    const store = this.#store
    const registry = new Registry(store)
    const fds = new FdAllocator(store)
    const connections = new Connections({ registry, nextFd: () => fds.next(), owner, slot })
    const tables = createTables(store, config.tables, { dataDir: config.dataDir })
    const userMetrics = lazyRegistry()
    this.#bus = new Bus({ path: bus ?? '', owner, log: parts.log, onMessage: (message, origin) => this.#receive(message, origin) })
    this.daemon = new WorkerDaemon({
      name: config.name,
      version: VERSION,
      slot,
      log: parts.log,
      connections,
      registry,
      bus: this.#bus,
      tables,
      ports: () => this.#reactor.ports,
      metrics: () => userMetrics.registry,
      counter: (name) => counter(store, name),
      tableStats: () =>
        Object.fromEntries(Object.keys(config.tables).map((name) => [name, { rows: rowsOf(tables[name]), size: config.tables[name]?.size ?? 0 }])),
      sendTo: (port, to, data) => this.#reactor.sendTo(port, to, data),
      reload: parts.onReload,
      stop: parts.onStop,
    })
    this.#reactor = new Reactor({ config, loaded: parts.loaded, daemon: this.daemon, connections, onAccepted: parts.onAccepted, onRested: parts.onRested })
    this.#connections = connections
    this.#arrivals = new Arrivals({
      bus: this.#bus,
      log: parts.log,
      listener: (port) => this.#reactor.listener(port),
      replay: (connection, message) => this.daemon.replay(connection, message),
    })
    this.#departure = new Departure({
      ports: this.#reactor,
      bus: this.#bus,
      owner,
      log: parts.log,
      give: (move, handle) => parts.onMove?.(move, handle),
      onLost: (fd) => {
        if (registry.ownerOf(fd) === owner) registry.remove(fd)
      },
      onLeft: () => parts.onLeft?.(),
    })
    this.#metrics = new WorkerMetrics({ ports: () => this.#reactor.report(), custom: () => userMetrics.custom() })
  }

  /** Everything but the ports: `onStart` of every handler has run. @throws what it throws */
  async start(): Promise<void> {
    setCurrentDaemon(this.daemon)
    if (this.#hasBus) await this.#bus.start()
    this.#metrics.start()
    await this.#reactor.start()
  }

  open(port: string, handle: StreamHandle | DatagramHandle | undefined, address: string): Promise<void> {
    return this.#reactor.open(port, handle, address)
  }

  adopt(port: string, client: StreamHandle): void {
    this.#reactor.adopt(port, client)
  }

  pauseAccepting(port: string): void {
    this.#reactor.pauseAccepting(port)
  }

  setPeers(peers: readonly BusPeer[]): void {
    this.#bus.setPeers(peers)
    this.#arrivals.setPeers(peers)
    this.#departure.setPeers(peers)
    if (peers.every(({ heirs }) => heirs.length === 0)) this.#connections.settle()
  }

  /** Another worker's connection is to go on here. */
  hold(move: MoveNote, handle: StreamHandle | undefined): void {
    this.#arrivals.hold(move, handle)
  }

  /** The master could not pass a connection on. */
  stay(id: number): void {
    this.#departure.stay(id)
  }

  /** Accepts no more, and gives the connections to other workers; what cannot move is served for a while, and then closed. */
  leave(order: LeaveOrder): void {
    this.#reactor.leave(order)
    this.#departure.start(order)
  }

  /** Resolves when nothing is left here: every connection has ended or goes on elsewhere. */
  async whenGone(): Promise<void> {
    await this.#reactor.whenIdle()
    while (this.#departure.isUnderWay) await sleep(ARRIVAL_LOOK_MS)
  }

  #receive(message: BusMessage, origin: BusOrigin): void {
    if (message.kind === 'held' || message.kind === 'arrived') this.#departure.receive(message)
    else if (message.kind === 'state') this.#arrivals.receive(message, origin.owner)
    else if (message.kind === 'refused') {
      this.#departure.receive(message)
      this.#arrivals.receive(message, origin.owner)
    } else this.daemon.receive(message, origin)
  }

  /** Another text whenever a port has counted something. */
  get activity(): string {
    return this.#reactor.activity
  }

  report(): Promise<WorkerReport> {
    return this.#metrics.report()
  }

  async stop(maxWaitSeconds: number): Promise<void> {
    await this.#reactor.stop(maxWaitSeconds * 1000)
    this.#departure.stop()
    this.#metrics.stop()
    this.#bus.stop()
    await this.daemon.release()
    setCurrentDaemon(undefined)
    this.#store.close()
  }
}

function rowsOf(table: unknown): number {
  return (table as { count?: number } | undefined)?.count ?? 0
}
