import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'
import type { PortPlace, ToMaster } from '../ipc/messages.ts'
import { placeText } from '../ipc/place.ts'
import type { Death } from './deaths.ts'
import { inTime } from './in-time.ts'
import type { WorkerView } from './overview.ts'
import type { Account } from './privileges.ts'
import type { Roster } from './roster.ts'
import { Slot } from './slot.ts'
import { longestDelayMs, restartMs, staffPlaces } from './staff-places.ts'
import type { WorkerChild } from './worker-child.ts'

export interface StaffParts {
  /** The folder of the shared memory. */
  readonly store: string
  readonly log: Logger
  readonly account: Account | undefined
  readonly roster: Roster
  /** Where each port listens now. */
  readonly ports: () => readonly PortPlace[]
  readonly onMessage: (child: WorkerChild, message: ToMaster) => void
  readonly onExit: (child: WorkerChild, death: Death) => void
}

/** New processes that are loaded and wait for their turn. */
export interface Prepared {
  /** They take the places of the old ones. */
  takeOver(): void
  /** All stays as it was. */
  undo(): void
}

/** The processes that are no workers: each in its place, as workers are in their slots. */
export class Staff {
  readonly #parts: StaffParts
  readonly #slots = new Map<string, Slot>()
  /** Places that a reload has done away with, until their last process has ended. */
  readonly #retired = new Set<Slot>()
  #isOpen = false
  #hasStarted = false

  constructor(parts: StaffParts) {
    this.#parts = parts
    parts.roster.include(() => this.children)
  }

  get slots(): readonly Slot[] {
    return [...this.#slots.values()]
  }

  get children(): WorkerChild[] {
    return [...this.#slots.values(), ...this.#retired].flatMap((slot) => slot.children)
  }

  /** What is shown of each process. */
  get views(): WorkerView[] {
    return this.slots.flatMap((slot) => {
      const view = (child: WorkerChild | undefined): WorkerView => ({
        index: slot.index,
        name: placeText(slot.place),
        place: slot.place,
        pid: child?.pid,
        state: child?.state ?? 'starting',
        startedAt: child?.startedAt ?? Date.now(),
        restarts: slot.restarts,
      })
      return [view(slot.current), ...Array.from(slot.draining, view)]
    })
  }

  /** Asks the process that holds the tasks. @throws Error when there is none */
  async askQueue(question: unknown): Promise<unknown> {
    const queue = this.slots.find(({ place }) => place.role === 'queue')
    if (queue === undefined) throw new Error('The config has neither tasks nor events')
    if (queue.current === undefined) throw new Error('The process that holds the tasks has died and is being started again')
    return queue.current.ask(question)
  }

  /** Has all report that are free to. */
  async refresh(): Promise<void> {
    await this.#parts.roster.refresh(this.children)
  }

  /** Starts what holds the tasks, if there are to be any: also what runs before all else may deliver. @throws as `start` */
  startQueue(config: Config): Promise<void> {
    return this.#start(
      staffPlaces(config).filter(({ role }) => role === 'queue'),
      config,
    )
  }

  /** Starts the first process of each other place. Resolves when all have loaded their modules. @throws ConfigError */
  start(config: Config): Promise<void> {
    return this.#start(
      staffPlaces(config).filter(({ role }) => role !== 'queue'),
      config,
    )
  }

  async #start(places: readonly Slot['place'][], config: Config): Promise<void> {
    const slots = places.map((place) => this.#slot(place, config))
    for (const slot of slots) this.#slots.set(placeText(slot.place), slot)
    const children = slots.map((slot) => slot.start())
    await inTime('load its modules', children, (child) => child.loaded)
  }

  /** Has them begin: every port is open. */
  async open(): Promise<void> {
    this.#isOpen = true
    const children = this.slots.flatMap(({ current }) => current ?? [])
    for (const child of children) this.#open(child)
    await inTime('begin', children, (child) => child.ready)
    this.#hasStarted = true
  }

  /**
   * Starts a new process beside each old one, and waits until all have loaded the new code. The one that holds the tasks has no code of the
   * user's, and stays.
   * @param isMeant which places; the others stay as they are
   * @throws ConfigError, or Error when one dies or takes too long; all is as before then
   */
  async prepare(config: Config, isMeant: (slot: Slot) => boolean = () => true): Promise<Prepared> {
    const places = staffPlaces(config)
    const added = places.flatMap((place) => (this.#slots.has(placeText(place)) ? [] : [this.#slot(place, config)]))
    const kept = places.flatMap((place) => this.#slots.get(placeText(place)) ?? []).filter((slot) => slot.place.role !== 'queue' && isMeant(slot))
    const removed = this.slots.filter((slot) => isMeant(slot) && !places.some((place) => placeText(place) === placeText(slot.place)))
    const slots = [...kept, ...added]
    for (const slot of added) this.#slots.set(placeText(slot.place), slot)
    const undo = (): void => {
      for (const slot of slots) slot.abandon()
      for (const slot of added) {
        slot.kill()
        this.#slots.delete(placeText(slot.place))
      }
      void this.#parts.roster.tellPeers()
    }
    try {
      const children = slots.map((slot) => slot.prepare(config))
      await inTime('load its modules', children, (child) => child.loaded)
    } catch (error) {
      undo()
      throw error
    }
    return { undo, takeOver: () => this.#takeOver(slots, removed) }
  }

  /** Ends all in good order, but what the others may still need: the queue. */
  async stop(maxWaitSeconds: number): Promise<void> {
    await Promise.all(this.#all(({ place }) => place.role !== 'queue').map((slot) => slot.stop(maxWaitSeconds)))
  }

  async stopQueue(maxWaitSeconds: number): Promise<void> {
    await Promise.all(this.#all(({ place }) => place.role === 'queue').map((slot) => slot.stop(maxWaitSeconds)))
  }

  kill(): void {
    for (const slot of [...this.#slots.values(), ...this.#retired]) slot.kill()
  }

  /** One of these is stuck. @returns whether there was one of that number */
  killStuck(owner: number): boolean {
    const child = this.children.find((one) => one.owner === owner)
    if (child === undefined) return false
    this.#parts.log.error({ process: placeText(child.place), childPid: child.pid }, 'Process is stuck: killing it')
    child.kill()
    return true
  }

  #all(isMeant: (slot: Slot) => boolean): Slot[] {
    return [...this.#slots.values(), ...this.#retired].filter(isMeant)
  }

  #takeOver(slots: readonly Slot[], removed: readonly Slot[]): void {
    for (const slot of removed) {
      slot.retire()
      this.#slots.delete(placeText(slot.place))
      this.#retired.add(slot)
    }
    for (const slot of slots) slot.promote()
    for (const slot of [...slots, ...removed]) for (const child of slot.draining) child.leave([])
    void this.#parts.roster.tellPeers()
    for (const { current } of slots) if (current !== undefined) void this.#openInTurn(current)
  }

  /** Two generations of timers, or of a loop of the user's, never run at the same moment. Tasks may: each runs once, whoever takes it. */
  async #openInTurn(child: WorkerChild): Promise<void> {
    const slot = this.#slots.get(placeText(child.place))
    if (slot === undefined) return
    if (child.place.role !== 'task') await Promise.all(Array.from(slot.draining, (old) => old.ended))
    if (slot.current === child) this.#open(child)
  }

  #open(child: WorkerChild): void {
    child.send({ type: 'opened', ports: this.#parts.ports() })
  }

  #slot(place: Slot['place'], config: Config): Slot {
    const { store, log, account, roster } = this.#parts
    return new Slot(
      {
        place,
        log,
        nextOwner: () => roster.nextOwner(),
        hasStarted: () => this.#hasStarted,
        restartMs: (current) => restartMs(current, place),
        longestDelayMs: (dead) => longestDelayMs(place, dead),
        child: { store, log, account, onMessage: (child, message) => this.#receive(child, message) },
        onExit: (ended, child, death) => this.#exited(ended, child, death),
      },
      config,
    )
  }

  #receive(child: WorkerChild, message: ToMaster): void {
    this.#parts.roster.hear(message)
    const slot = this.#slots.get(placeText(child.place))
    // One that died is back.
    if (message.type === 'loaded' && this.#isOpen && child === slot?.current) void this.#openInTurn(child)
    else this.#parts.onMessage(child, message)
  }

  #exited(slot: Slot, child: WorkerChild, death: Death): void {
    if (slot.children.length === 0) this.#retired.delete(slot)
    this.#parts.onExit(child, death)
    void this.#parts.roster.tellPeers()
  }
}
