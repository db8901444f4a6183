import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'
import type { MoveNote, ToMaster } from '../ipc/messages.ts'
import type { StreamHandle } from '../net/node-internals.ts'
import type { Death } from './deaths.ts'
import { inTime } from './in-time.ts'
import type { WorkerView } from './overview.ts'
import type { Account } from './privileges.ts'
import type { Roster } from './roster.ts'
import { Slot } from './slot.ts'
import type { WorkerChild } from './worker-child.ts'

// One that is back does not wait for another that is stuck.
const BACK_WAIT_MS = 200

export interface WorkersParts {
  /** The folder of the shared memory. */
  readonly store: string
  readonly log: Logger
  readonly account: Account | undefined
  readonly roster: Roster
  /** Gives a worker whose handlers are loaded its ports. */
  readonly open: (child: WorkerChild) => Promise<void> | void
  /** What is not dealt with here. */
  readonly onMessage: (slot: Slot, child: WorkerChild, message: ToMaster) => void
  readonly onReady: (slot: Slot, child: WorkerChild) => void
  readonly onExit: (slot: Slot, child: WorkerChild, death: Death) => void
}

/** All workers: each in its slot, who knows whom, and how one takes over from another. */
export class Workers {
  readonly #parts: WorkersParts
  readonly #slots: Slot[] = []
  /** Slots that a reload has done away with, until the last of their processes has ended. */
  readonly #retired = new Set<Slot>()
  #hasStarted = false

  constructor(parts: WorkersParts) {
    this.#parts = parts
    parts.roster.include(() => this.children)
  }

  /** The slots of the config. The same array always. */
  get slots(): readonly Slot[] {
    return this.#slots
  }

  /** What is shown of each process. */
  get views(): WorkerView[] {
    return this.#slots.flatMap((slot) => {
      const view = (child: WorkerChild | undefined): WorkerView => ({
        index: slot.index,
        pid: child?.pid,
        state: child?.state ?? 'starting',
        startedAt: child?.startedAt ?? Date.now(),
        restarts: slot.restarts,
      })
      return [view(slot.current), ...Array.from(slot.draining, view)]
    })
  }

  get children(): WorkerChild[] {
    return [...this.#slots, ...this.#retired].flatMap((slot) => slot.children)
  }

  /** Starts the very first process, where others must wait for it: `onDaemonStart` runs in it, before all else. @throws as `start` */
  async startFirst(config: Config): Promise<void> {
    const slot = this.#slot(0, config)
    this.#slots.push(slot)
    const child = slot.start({ isFirst: true })
    if (config.lifecycle.length > 0) await inTime('load its handlers', [child], () => child.loaded)
  }

  /** Starts the first process of each other slot. Resolves when all have loaded their handlers. @throws ConfigError */
  async start(config: Config): Promise<void> {
    for (let index = 1; index < config.workers; index++) this.#slots.push(this.#slot(index, config))
    const children = this.#slots.map((slot) => slot.current ?? slot.start())
    await inTime('load its handlers', children, (child) => child.loaded)
  }

  /** Has them open their ports. @throws BindError */
  async open(): Promise<void> {
    await this.#parts.roster.tellPeers()
    const children = this.#slots.flatMap(({ current }) => (current === undefined ? [] : [current]))
    for (const child of children) await this.#parts.open(child)
    await inTime('open its ports', children, (child) => child.ready)
    this.#hasStarted = true
  }

  /**
   * Puts a new process in every slot of a config, which may have more or fewer of them. Resolves when every connection that can move has moved.
   * When a new one does not get ready, all goes on as it was.
   * @throws ConfigError, BindError, or Error when one dies or takes too long
   */
  async replaceAll(config: Config, options: { open: (child: WorkerChild) => Promise<void> | void; onReady: () => void }): Promise<void> {
    const added: Slot[] = []
    for (let index = this.#slots.length; index < config.workers; index++) added.push(this.#slot(index, config))
    const kept = this.#slots.slice(0, config.workers)
    this.#slots.push(...added)
    try {
      await this.#prepare(config, [...kept, ...added], options.open)
    } catch (error) {
      for (const slot of added) slot.kill()
      this.#slots.splice(this.#slots.length - added.length)
      throw error
    }
    options.onReady()
    for (const slot of this.#slots.splice(config.workers)) {
      slot.retire()
      this.#retired.add(slot)
    }
    await this.#handOver()
  }

  /** Puts a new process in one slot, which takes over from the old one. @throws as `replaceAll` */
  async replace(slot: Slot, config: Config): Promise<void> {
    await this.#prepare(config, [slot], this.#parts.open)
    await this.#handOver()
  }

  /** @param others of the daemon: where there are lifecycle modules, one worker ends after them and all other workers */
  async stop(maxWaitSeconds: number, others: Promise<unknown> = Promise.resolve()): Promise<void> {
    const last = this.#slots.find(({ current }) => current?.isReady === true && current.config.lifecycle.length > 0)
    const rest = [...this.#slots, ...this.#retired].filter((slot) => slot !== last).map((slot) => slot.stop(maxWaitSeconds))
    await Promise.all([...rest, last?.stop(maxWaitSeconds, Promise.all([others, ...rest]))])
  }

  kill(): void {
    for (const slot of [...this.#slots, ...this.#retired]) slot.kill()
  }

  /** Has every worker report. Resolves with the number of those that did not in time, and whether no connection was on its way meanwhile. */
  async refresh(): Promise<{ missingWorkers: number; isSettled: boolean }> {
    const wasHandingOver = this.#isHandingOver
    const numSilent = await this.#parts.roster.refresh(this.children.filter(({ state }) => state !== 'starting'))
    const numStarting = this.#slots.filter(({ current }) => current === undefined || current.state === 'starting').length
    return { missingWorkers: numSilent + numStarting, isSettled: numSilent === 0 && !wasHandingOver && !this.#isHandingOver }
  }

  get #isHandingOver(): boolean {
    return this.#retired.size > 0 || this.#slots.some(({ draining }) => draining.size > 0)
  }

  async #prepare(config: Config, slots: readonly Slot[], open: (child: WorkerChild) => Promise<void> | void): Promise<void> {
    try {
      const children = slots.map((slot) => slot.prepare(config))
      await inTime('load its handlers', children, (child) => child.loaded)
      await this.#parts.roster.tellPeers()
      for (const child of children) await open(child)
      await inTime('open its ports', children, (child) => child.ready)
    } catch (error) {
      for (const slot of slots) slot.abandon()
      void this.#parts.roster.tellPeers()
      throw error
    }
    for (const slot of slots) slot.promote()
  }

  /** Every process that has been replaced gives its connections to those that serve. */
  async #handOver(): Promise<void> {
    const serving = this.#slots.flatMap(({ current }) => (current?.isReady === true ? [current] : []))
    const leaving = [...this.#slots, ...this.#retired].flatMap((slot) => Array.from(slot.draining, (child) => ({ child, heir: slot.current })))
    const heirsOf = (heir: WorkerChild | undefined): WorkerChild[] => (heir?.isReady === true ? [heir] : serving)
    for (const { child, heir } of leaving) child.heirs = heirsOf(heir).map(({ owner }) => owner)
    // Before the first of them moves, everybody must send to both.
    await this.#parts.roster.tellPeers({ beforeMoves: true })
    for (const { child, heir } of leaving) child.leave(heirsOf(heir))
    await Promise.all(leaving.map(({ child }) => child.left))
  }

  #slot(index: number, config: Config): Slot {
    const { store, log, account, roster } = this.#parts
    const slot: Slot = new Slot(
      {
        place: { role: 'worker', index },
        log,
        nextOwner: () => roster.nextOwner(),
        hasStarted: () => this.#hasStarted,
        child: { store, log, account, onMessage: (child, message, handle) => this.#receive(slot, child, message, handle) },
        onExit: (_slot, child, death) => this.#exited(slot, child, death),
      },
      config,
    )
    return slot
  }

  #receive(slot: Slot, child: WorkerChild, message: ToMaster, handle: StreamHandle | undefined): void {
    this.#parts.roster.hear(message)
    if (message.type === 'move') this.#pass(child, message.move, handle)
    else if (message.type === 'loaded' && this.#hasStarted && child === slot.current) void this.#openAgain(child)
    else if (message.type === 'ready' && child === slot.current && this.#hasStarted) this.#back(slot, child)
    else this.#parts.onMessage(slot, child, message)
  }

  /** A worker that died is back. */
  async #openAgain(child: WorkerChild): Promise<void> {
    await this.#parts.roster.tellPeers({ waitMs: BACK_WAIT_MS })
    try {
      await this.#parts.open(child)
    } catch (error) {
      // The path of a unix datagram socket that cannot be cleared, for one: the next worker may have better luck, later and later.
      this.#parts.log.error({ err: error, worker: child.slot }, 'Cannot give a worker its ports: killing it')
      child.kill()
    }
  }

  #back(slot: Slot, child: WorkerChild): void {
    this.#parts.onReady(slot, child)
    // It died with connections yet to come to it: those can come now.
    if (slot.draining.size > 0) void this.#handOver()
  }

  /** A connection goes from one worker to another. The handle must be kept until it has left this process. */
  #pass(from: WorkerChild, move: MoveNote, handle: StreamHandle | undefined): void {
    const heir = this.children.find((child) => child.owner === move.to)
    const onLost = (): void => void from.send({ type: 'unmoved', id: move.id })
    if (handle !== undefined && heir?.pass(move, handle, { onSent: () => handle.close(), onLost }) === true) return
    handle?.close()
    onLost()
  }

  #exited(slot: Slot, child: WorkerChild, death: Death): void {
    if (slot.children.length === 0) this.#retired.delete(slot)
    this.#parts.onExit(slot, child, death)
    void this.#parts.roster.tellPeers()
  }
}
