import { setTimeout as sleep } from 'node:timers/promises'
import { forbidListening } from '../apps/listen-watch.ts'
import type { ProcessDeath } from '../contracts/lifecycle.ts'
import type { Logger } from '../contracts/logger.ts'
import { Arrivals } from '../handover/arrivals.ts'
import { Departure } from '../handover/departure.ts'
import type { BusMessage, BusOrigin, BusPeer, LeaveOrder, MoveNote, ProcessStart } from '../ipc/messages.ts'
import type { Post } from '../ipc/post.ts'
import type { LoadedHooks } from '../lifecycle/load-lifecycle.ts'
import { WorkerMetrics } from '../metrics/worker-metrics.ts'
import type { WorkerReport } from '../metrics/worker-report.ts'
import { inTime } from '../modules/in-time.ts'
import type { DatagramHandle, StreamHandle } from '../net/node-internals.ts'
import { Finishing } from '../tasks/finishing.ts'
import type { TaskClasses } from '../tasks/load-task-classes.ts'
import type { LoadedPort } from './loaded-port.ts'
import { Member } from './member.ts'
import { type Activity, Reactor } from './reactor.ts'
import type { WorkerDaemon } from './worker-daemon.ts'

// How often it is looked at whether the last connection, and the last message to another worker, has got there.
const LOOK_MS = 5

export interface WorkerParts {
  readonly start: ProcessStart
  readonly loaded: readonly LoadedPort[]
  /** Where the config has tasks. */
  readonly classes?: TaskClasses | undefined
  readonly log: Logger
  readonly onAccepted: (port: string, connections: number) => void
  /** The port has let go of its listening socket and asks for it again. Missing where there is nobody to ask. */
  readonly onRested?: (port: string) => void
  /** It refuses new connections from now on, or lets them in again: `isOverloaded`. */
  readonly onOverload?: () => void
  /** Others can reach it: `onStart` has not run yet. */
  readonly onJoined?: () => void
  /** Used in place of the bus, where all roles play in one process. */
  readonly post?: Post
  /** The lifecycle modules. */
  readonly hooks?: readonly LoadedHooks[]
  /** A handler has called `daemon.reload()`. */
  readonly onReload: () => Promise<void>
  /** A handler has called `daemon.stop()`. */
  readonly onStop: () => Promise<void>
  /** A connection leaves for another worker, by way of the master. */
  readonly onMove?: (move: MoveNote, handle: StreamHandle) => void
  /** Of this worker's connections, all that can move now have moved. */
  readonly onLeft?: () => void
}

/** One worker: the ports, and what they share with all other processes. The same in a process of its own and inside a caller's (`createDaemon`). */
export class Worker {
  readonly #member: Member
  readonly #reactor: Reactor
  readonly #metrics: WorkerMetrics
  readonly #arrivals: Arrivals
  readonly #departure: Departure
  /** All that could move has moved, or the time for that is over. */
  readonly #moved = Promise.withResolvers<void>()
  #isLeaving = false
  readonly #finishing: Finishing | undefined
  readonly #onJoined: (() => void) | undefined
  readonly #isFirst: boolean
  readonly #handlers: readonly object[]
  #letListen: () => void = () => {}

  constructor(parts: WorkerParts) {
    const { config, owner } = parts.start
    const { log } = parts
    this.#onJoined = parts.onJoined
    this.#isFirst = parts.start.isFirst === true
    this.#handlers = parts.loaded.map(({ handler }) => handler)
    this.#member = new Member({
      start: parts.start,
      log,
      ...(parts.post !== undefined && { post: parts.post }),
      ...(parts.hooks !== undefined && { hooks: parts.hooks }),
      ports: () => this.#reactor.ports,
      sendTo: (port, to, data) => this.#reactor.sendTo(port, to, data),
      onHandover: (message, origin) => this.#receive(message, origin),
      onReload: parts.onReload,
      onStop: parts.onStop,
    })
    const { daemon, bus, connections, counts, registry, userMetrics, post, work } = this.#member
    if (config.tasks !== undefined && parts.classes !== undefined) {
      work.know(parts.classes)
      this.#finishing = new Finishing({ config: config.tasks, classes: parts.classes, post, daemon, log })
    }
    this.#reactor = new Reactor({
      config,
      loaded: parts.loaded,
      daemon,
      connections,
      counts,
      pressure: bus.pressure,
      onAccepted: parts.onAccepted,
      onRested: parts.onRested,
      onOverload: () => parts.onOverload?.(),
    })
    this.#arrivals = new Arrivals({
      bus,
      log,
      listener: (port) => this.#reactor.listener(port),
      replay: (connection, message) => daemon.replay(connection, message),
      onTaken: () => connections.writeArrived(),
    })
    this.#departure = new Departure({
      ports: this.#reactor,
      bus,
      owner,
      log,
      give: (move, handle) => parts.onMove?.(move, handle),
      onLost: ({ fd, standing: { ticket } }, port) => {
        // 0 is a connection between two HTTP requests.
        if (fd > 0 && registry.ownerOf(fd) !== owner) return
        if (fd > 0) registry.remove(fd)
        if (ticket !== undefined) counts.leave(port, ticket)
      },
      onLeft: () => {
        this.#moved.resolve()
        parts.onLeft?.()
      },
    })
    this.#metrics = new WorkerMetrics({
      ports: () => this.#reactor.report(),
      custom: () => userMetrics.custom(),
      isOverloaded: () => this.isOverloaded,
    })
  }

  get isOverloaded(): boolean {
    return this.#reactor.isOverloaded
  }

  get daemon(): WorkerDaemon {
    return this.#member.daemon
  }

  /** Everything but the ports: `onStart` of every handler has run. @throws what it throws */
  async start(): Promise<void> {
    await this.#member.start()
    this.#onJoined?.()
    this.#letListen = forbidListening(this.#handlers, this.daemon.log)
    this.#metrics.start()
    const { lifecycle } = this.#member
    if (this.#isFirst) await lifecycle.call('onDaemonStart')
    await lifecycle.call('onWorkerStart')
    await this.#reactor.start()
    this.#finishing?.start()
  }

  open(port: string, handle: StreamHandle | DatagramHandle | undefined, address: string): Promise<void> {
    return this.#reactor.open(port, handle, address)
  }

  adopt(port: string, client: StreamHandle, waitedMs: number): void {
    this.#reactor.adopt(port, client, waitedMs)
  }

  pauseAccepting(port: string): void {
    this.#reactor.pauseAccepting(port)
  }

  setPeers(peers: readonly BusPeer[]): void {
    this.#member.setPeers(peers)
    this.#arrivals.setPeers(peers)
    this.#departure.setPeers(peers)
    if (peers.every(({ heirs }) => heirs.length === 0)) this.#member.connections.settle()
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
    if (!this.#isLeaving) {
      this.#isLeaving = true
      this.#reactor.leave()
      setTimeout(this.#moved.resolve, order.movesSeconds * 1000).unref()
      // Not before: connections that wait for their turn are not those that cannot move.
      void this.#moved.promise.then(() => this.#reactor.drain(order))
    }
    this.#departure.start(order)
  }

  /** Resolves when nothing is left here, every connection has ended or goes on elsewhere; at the latest so long after the moves, whatever handlers still wait for. */
  async whenGone(limitMs: number): Promise<void> {
    await Promise.race([this.#reactor.whenIdle(), this.#moved.promise])
    const end = performance.now() + limitMs
    await Promise.race([Promise.all([this.#reactor.whenIdle(), this.#finishing?.leave()]), sleep(limitMs, undefined, { ref: false })])
    while ((this.#departure.isUnderWay || this.#member.bus.hasUnsent) && performance.now() < end) await sleep(LOOK_MS)
    if (performance.now() >= end) this.daemon.log.warn('Handlers still wait for something: this worker ends without them')
  }

  #receive(message: BusMessage, origin: BusOrigin): void {
    if (message.kind === 'held' || message.kind === 'arrived' || message.kind === 'passed') this.#departure.receive(message, origin.owner)
    else if (message.kind === 'state') this.#arrivals.receive(message, origin.owner)
    else if (message.kind === 'refused') {
      this.#departure.receive(message, origin.owner)
      this.#arrivals.receive(message, origin.owner)
    }
  }

  get activity(): Activity {
    return this.#reactor.activity
  }

  /** Another process has died. */
  died(death: ProcessDeath): void {
    void this.#member.lifecycle.tell(death)
  }

  async report(): Promise<WorkerReport> {
    return { ...(await this.#metrics.report()), duty: { metrics: this.#member.metrics, status: undefined } }
  }

  /** @param othersEnded for the last process of the daemon: `onDaemonStop` runs in it */
  async stop(maxWaitSeconds: number, othersEnded?: Promise<unknown>): Promise<void> {
    const { lifecycle, work } = this.#member
    const ms = maxWaitSeconds * 1000
    work.end()
    await Promise.all([this.#reactor.stop(ms), inTime(ms, this.#finishing?.leave() ?? Promise.resolve())])
    this.#letListen()
    this.#departure.stop()
    await lifecycle.call('onWorkerStop')
    if (othersEnded !== undefined) {
      await othersEnded
      await lifecycle.call('onDaemonStop')
    }
    this.#metrics.stop()
    await this.#member.stop()
  }
}
