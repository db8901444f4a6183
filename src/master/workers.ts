import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'
import type { MoveNote, ToMaster } from '../ipc/messages.ts'
import type { StreamHandle } from '../net/node-internals.ts'
import type { WorkerView } from './overview.ts'
import { Slot } from './slot.ts'
import type { WorkerChild } from './worker-child.ts'

// A worker that is busy for this long is not waited for: what is sent to connections on their way from it may then be late.
const PEERS_WAIT_MS = 2000
// A scrape answers without a worker that is stuck.
const REPORT_WAIT_MS = 500

export interface WorkersParts {
  /** The folder of the shared memory. */
  readonly store: string
  readonly log: Logger
  /** Gives a worker whose handlers are loaded its ports. */
  readonly open: (child: WorkerChild) => Promise<void> | void
  /** What is not dealt with here. */
  readonly onMessage: (slot: Slot, child: WorkerChild, message: ToMaster) => void
  readonly onReady: (slot: Slot, child: WorkerChild) => void
  readonly onExit: (slot: Slot, child: WorkerChild, death: { code: number | null; signal: NodeJS.Signals | null; isExpected: boolean }) => void
}

/** All workers: each in its slot, who knows whom, and how one takes over from another. */
export class Workers {
  readonly #parts: WorkersParts
  readonly #slots: Slot[] = []
  /** Slots that a reload has done away with, until the last of their processes has ended. */
  readonly #retired = new Set<Slot>()
  readonly #asked = new Map<number, () => void>()
  #lastOwner = 0
  #lastId = 0
  #hasStarted = false

  constructor(parts: WorkersParts) {
    this.#parts = parts
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

  /** Starts the first process of each slot. Resolves when all have loaded their handlers. @throws ConfigError */
  async start(config: Config): Promise<void> {
    for (let index = 0; index < config.workers; index++) this.#slots.push(this.#slot(index, config))
    const children = this.#slots.map((slot) => slot.start())
    await inTime(config, 'load its handlers', children, (child) => child.loaded)
  }

  /** Has them open their ports. @throws BindError */
  async open(config: Config): Promise<void> {
    await this.tellPeers()
    const children = this.#slots.flatMap(({ current }) => (current === undefined ? [] : [current]))
    for (const child of children) await this.#parts.open(child)
    await inTime(config, 'open its ports', children, (child) => child.ready)
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

  async stop(maxWaitSeconds: number): Promise<void> {
    await Promise.all([...this.#slots, ...this.#retired].map((slot) => slot.stop(maxWaitSeconds)))
  }

  kill(): void {
    for (const slot of [...this.#slots, ...this.#retired]) slot.kill()
  }

  /** Tells every process of all others, and resolves when all have heard it. */
  async tellPeers(): Promise<void> {
    const children = this.children.filter((child) => child.isOnBus)
    const peers = children.map((child) => child.peer)
    await Promise.all(
      children.map((child) => {
        const id = ++this.#lastId
        return this.#answered(id, PEERS_WAIT_MS, child, () => child.send({ type: 'peers', id, peers }))
      }),
    )
  }

  /** Has every worker report. Resolves with the number of those that did not in time, and whether no connection was on its way meanwhile. */
  async refresh(): Promise<{ missingWorkers: number; isSettled: boolean }> {
    const wasHandingOver = this.#isHandingOver
    const answers = await Promise.all(this.children.filter(({ state }) => state !== 'starting').map((child) => this.#ask(child)))
    const numSilent = answers.filter((isThere) => !isThere).length
    const numStarting = this.#slots.filter(({ current }) => current === undefined || current.state === 'starting').length
    return { missingWorkers: numSilent + numStarting, isSettled: numSilent === 0 && !wasHandingOver && !this.#isHandingOver }
  }

  get #isHandingOver(): boolean {
    return this.#retired.size > 0 || this.#slots.some(({ draining }) => draining.size > 0)
  }

  #ask(child: WorkerChild): Promise<boolean> {
    const id = ++this.#lastId
    return this.#answered(id, REPORT_WAIT_MS, child, () => child.send({ type: 'report', id }))
  }

  async #answered(id: number, ms: number, child: WorkerChild, ask: () => boolean): Promise<boolean> {
    const answer = new Promise<boolean>((resolve) => this.#asked.set(id, () => resolve(true)))
    if (!ask()) this.#asked.delete(id)
    const limit = new AbortController()
    const isThere = await Promise.race([answer, child.ended.then(() => false), sleep(ms, false, { signal: limit.signal }).catch(() => false)])
    limit.abort()
    this.#asked.delete(id)
    return isThere
  }

  async #prepare(config: Config, slots: readonly Slot[], open: (child: WorkerChild) => Promise<void> | void): Promise<void> {
    const children = slots.map((slot) => slot.prepare(config))
    try {
      await inTime(config, 'load its handlers', children, (child) => child.loaded)
      await this.tellPeers()
      for (const child of children) await open(child)
      await inTime(config, 'open its ports', children, (child) => child.ready)
    } catch (error) {
      for (const slot of slots) slot.abandon()
      void this.tellPeers()
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
    await this.tellPeers()
    for (const { child, heir } of leaving) child.leave(heirsOf(heir))
    await Promise.all(leaving.map(({ child }) => child.left))
  }

  #slot(index: number, config: Config): Slot {
    const { store, log } = this.#parts
    const slot: Slot = new Slot(
      {
        index,
        log,
        nextOwner: () => ++this.#lastOwner,
        child: { store, log, onMessage: (child, message, handle) => this.#receive(slot, child, message, handle) },
        onExit: (_slot, child, death) => this.#exited(slot, child, death),
      },
      config,
    )
    return slot
  }

  #receive(slot: Slot, child: WorkerChild, message: ToMaster, handle: StreamHandle | undefined): void {
    if (message.type === 'peered') this.#asked.get(message.id)?.()
    else if (message.type === 'move') this.#pass(child, message.move, handle)
    else if (message.type === 'loaded' && this.#hasStarted && child === slot.current) void this.#openAgain(child)
    else if (message.type === 'ready' && child === slot.current && this.#hasStarted) this.#back(slot, child)
    else {
      if (message.type === 'report' && message.id !== undefined) this.#asked.get(message.id)?.()
      this.#parts.onMessage(slot, child, message)
    }
  }

  /** A worker that died is back. */
  async #openAgain(child: WorkerChild): Promise<void> {
    await this.tellPeers()
    await this.#parts.open(child)
  }

  #back(slot: Slot, child: WorkerChild): void {
    this.#parts.onReady(slot, child)
    // It died with connections yet to come to it: those can come now.
    if (slot.draining.size > 0) void this.#handOver()
  }

  /** A connection goes from one worker to another. The handle must be kept until it has left this process. */
  #pass(from: WorkerChild, move: MoveNote, handle: StreamHandle | undefined): void {
    const heir = this.children.find((child) => child.owner === move.to)
    if (handle !== undefined && heir?.send({ type: 'arrive', move }, handle, () => handle.close()) === true) return
    handle?.close()
    from.send({ type: 'unmoved', id: move.id })
  }

  #exited(slot: Slot, child: WorkerChild, death: { code: number | null; signal: NodeJS.Signals | null; isExpected: boolean }): void {
    if (slot.children.length === 0) this.#retired.delete(slot)
    this.#parts.onExit(slot, child, death)
    void this.tellPeers()
  }
}

/** @throws what `step` does, or Error when it takes longer than `startSeconds` */
async function inTime(config: Config, what: string, children: readonly WorkerChild[], step: (child: WorkerChild) => Promise<void>): Promise<void> {
  const limit = new AbortController()
  const { startSeconds } = config
  const late = sleep(startSeconds * 1000, undefined, { signal: limit.signal }).then(
    () => {
      throw new Error(`A worker did not ${what} within ${startSeconds} s: make onStart and imports faster, or raise startSeconds`)
    },
    () => {},
  )
  try {
    await Promise.race([Promise.all(children.map(step)), late])
  } finally {
    limit.abort()
  }
}
