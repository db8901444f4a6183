import type { Logger } from '../contracts/logger.ts'
import { Bus } from '../ipc/bus.ts'
import type { BusPeer, WorkerStart } from '../ipc/messages.ts'
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

export interface WorkerParts {
  readonly start: WorkerStart
  readonly loaded: readonly LoadedPort[]
  readonly log: Logger
  readonly onAccepted: (port: string, connections: number) => void
  /** The port has let go of its listening socket and asks for it again. Missing where there is nobody to ask. */
  readonly onRested?: (port: string) => void
  /** A handler has called `daemon.stop()`. */
  readonly onStop: () => Promise<void>
}

/** One worker: composes what handlers receive. The same in a process of its own and inside a caller's (`createDaemon`). */
export class Worker {
  readonly daemon: WorkerDaemon
  readonly #store: Store
  readonly #bus: Bus
  readonly #reactor: Reactor
  readonly #metrics: WorkerMetrics
  readonly #hasBus: boolean

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
    this.#bus = new Bus({ path: bus ?? '', owner, log: parts.log, onMessage: (message) => this.daemon.receive(message) })
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
      stop: parts.onStop,
    })
    this.#reactor = new Reactor({ config, loaded: parts.loaded, daemon: this.daemon, connections, onAccepted: parts.onAccepted, onRested: parts.onRested })
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

  hold(port: string): void {
    this.#reactor.hold(port)
  }

  setPeers(peers: readonly BusPeer[]): void {
    this.#bus.setPeers(peers)
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
