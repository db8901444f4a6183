import type { Message } from '../contracts/connection.ts'
import type { Daemon, PortInfo } from '../contracts/daemon.ts'
import type { Logger } from '../contracts/logger.ts'
import { Bus } from '../ipc/bus.ts'
import { busMetrics } from '../ipc/bus-metrics.ts'
import { Mailroom } from '../ipc/mailroom.ts'
import type { BusMessage, BusOrigin, BusPeer, ProcessStart } from '../ipc/messages.ts'
import { isPost } from '../ipc/messages.ts'
import { placeText } from '../ipc/place.ts'
import type { Post } from '../ipc/post.ts'
import { Lifecycle } from '../lifecycle/lifecycle.ts'
import type { LoadedHooks } from '../lifecycle/load-lifecycle.ts'
import { droppedLogLines } from '../log/log.ts'
import { type LazyRegistry, lazyRegistry } from '../metrics/lazy-registry.ts'
import type { MetricJson } from '../metrics/metric-json.ts'
import { logMetric } from '../metrics/process-metrics.ts'
import { Connections } from '../net/connections.ts'
import { processLinks } from '../processes/process-links.ts'
import { ConnectionCounts } from '../shared/connection-counts.ts'
import { counter } from '../shared/counter.ts'
import { FdAllocator } from '../shared/fd-allocator.ts'
import { Registry } from '../shared/registry.ts'
import { Store } from '../shared/store.ts'
import { createTables } from '../shared/tables.ts'
import { VERSION } from '../version.ts'
import { setCurrentDaemon } from './current-daemon.ts'
import { MemberTasks } from './member-tasks.ts'
import { WorkerDaemon } from './worker-daemon.ts'
import { messageMetrics, WorkerMessages } from './worker-messages.ts'

export interface MemberParts {
  readonly start: ProcessStart
  readonly log: Logger
  readonly ports: () => readonly PortInfo[]
  /** Sends a datagram from a port; false when there is no udp port of that name. Missing where no port is open: a worker is asked then. */
  readonly sendTo?: (port: string, to: { address: string; port: number }, data: Message) => boolean
  /** What the bus brings of a hand-over. */
  readonly onHandover?: (message: BusMessage, origin: BusOrigin) => void
  readonly onReload: () => Promise<void>
  readonly onStop: () => Promise<void>
  /** Used in place of the bus, where all roles play in one process. */
  readonly post?: Post
  /** The lifecycle modules. */
  readonly hooks?: readonly LoadedHooks[]
}

/** What every process of the daemon has, whatever it is there for: shared memory, a place on the bus, and the daemon object. */
export class Member {
  readonly daemon: WorkerDaemon
  readonly bus: Bus
  readonly post: Post
  readonly registry: Registry
  readonly connections: Connections
  readonly counts: ConnectionCounts
  readonly userMetrics: LazyRegistry
  /** `daemon.workers`. */
  readonly messages: WorkerMessages
  readonly lifecycle: Lifecycle
  readonly work: MemberTasks
  readonly #parts: MemberParts
  readonly #store: Store
  readonly #mailroom: Mailroom | undefined

  constructor(parts: MemberParts) {
    const { config, place, owner, store: dir, bus } = parts.start
    this.#parts = parts
    const store = Store.open({ dir })
    this.#store = store
    const fds = new FdAllocator(store)
    this.registry = new Registry(store)
    this.connections = new Connections({ registry: this.registry, nextFd: () => fds.next(), owner, slot: place.index, log: parts.log })
    this.counts = new ConnectionCounts(store, owner)
    this.userMetrics = lazyRegistry()
    this.bus = new Bus({ path: bus ?? '', owner, log: parts.log, onMessage: (message, origin) => this.#receive(message, origin) })
    this.#mailroom = parts.post === undefined ? this.#openMailroom() : undefined
    this.post = parts.post ?? (this.#mailroom as Mailroom)
    this.messages = new WorkerMessages(this.post, parts.log)
    this.work = new MemberTasks({ config, role: place.role, post: this.post, store })
    const tables = createTables(store, config.tables, { dataDir: config.dataDir })
    this.daemon = new WorkerDaemon({
      name: config.name,
      version: VERSION,
      place,
      log: parts.log,
      connections: this.connections,
      registry: this.registry,
      bus: this.bus,
      tables,
      processes: processLinks(config.processes, this.post),
      workers: this.messages,
      tasks: this.work.tasks,
      events: this.work.events,
      ports: parts.ports,
      metrics: () => this.userMetrics.registry,
      counter: (name) => counter(store, name),
      tableStats: () =>
        Object.fromEntries(Object.keys(config.tables).map((name) => [name, { rows: rowsOf(tables[name]), size: config.tables[name]?.size ?? 0 }])),
      sendTo: parts.sendTo ?? ((port, to, data) => this.#askToSend(port, to, data)),
      reload: parts.onReload,
      stop: parts.onStop,
    })
    this.lifecycle = new Lifecycle(parts.hooks ?? [], this.daemon, place)
    if (parts.sendTo !== undefined) this.post.on('datagram', (body) => sendDatagram(this.daemon, body as Datagram))
  }

  /** Others can reach it from now on. @throws what listen(2) says of the bus's path */
  async start(): Promise<void> {
    setCurrentDaemon(this.daemon)
    if (this.#parts.start.bus !== undefined) await this.bus.start()
  }

  setPeers(peers: readonly BusPeer[]): void {
    this.bus.setPeers(peers)
    this.#mailroom?.setMembers(peers)
  }

  /** What is counted in every process, whatever it is there for. */
  get metrics(): readonly MetricJson[] {
    const { place } = this.#parts.start
    const messages = place.role === 'worker' ? messageMetrics(place.index, this.messages.errors) : []
    // Where all roles play in one process, that is counted as the master's.
    const log = this.#parts.post === undefined ? [logMetric(placeText(place), droppedLogLines())] : []
    return [...messages, ...busMetrics(place, this.bus), ...this.lifecycle.metrics, ...log]
  }

  async stop(): Promise<void> {
    await this.work.close()
    this.#mailroom?.close()
    this.bus.stop()
    await this.daemon.release()
    setCurrentDaemon(undefined)
    this.#store.close()
  }

  #receive(message: BusMessage, origin: BusOrigin): void {
    const { kind, name: topic, fd: id, payload } = message
    if (isPost(kind)) this.#mailroom?.receive(kind, { topic, id, body: payload as Uint8Array, from: origin.owner })
    else if (HANDOVER.has(kind)) this.#parts.onHandover?.(message, origin)
    else this.daemon.receive(message, origin)
  }

  #openMailroom(): Mailroom {
    const { place, owner } = this.#parts.start
    const mailroom = new Mailroom({
      self: { ...place, owner, isLeaving: false },
      log: this.#parts.log,
      carrier: {
        carry: (to, { kind, topic, id, body }) => {
          if (to !== owner) return this.bus.tell(to, { kind, fd: id, name: topic, except: [], payload: body })
          setImmediate(() => mailroom.receive(kind, { topic, id, body, from: owner }))
          return true
        },
        backlog: (to) => this.bus.backlog(to),
      },
    })
    return mailroom
  }

  /** A port is open in workers alone. A unix datagram socket is open in the first of them. */
  #askToSend(port: string, to: Datagram['to'], data: Message): boolean {
    const isThere = this.#parts.start.config.ports.some(({ name, protocol }) => name === port && protocol === 'udp')
    const worker = this.post.at({ role: 'worker', index: 0 }) ?? this.post.members('worker')[0]
    if (isThere && worker !== undefined) this.post.send(worker, 'datagram', { port, to, data } satisfies Datagram)
    return isThere
  }
}

const HANDOVER: ReadonlySet<BusMessage['kind']> = new Set<BusMessage['kind']>(['held', 'state', 'arrived', 'refused', 'passed'])

interface Datagram {
  readonly port: string
  readonly to: { address: string; port: number }
  readonly data: Message
}

function sendDatagram(daemon: Daemon, { port, to, data }: Datagram): void {
  daemon.sendTo(port, to, data)
}

function rowsOf(table: unknown): number {
  return (table as { count?: number } | undefined)?.count ?? 0
}
