import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'
import { ReloadError } from '../errors.ts'
import type { Place } from '../ipc/messages.ts'
import { placeText } from '../ipc/place.ts'
import type { Death } from './deaths.ts'
import { WorkerChild, type WorkerChildParts } from './worker-child.ts'

// A worker that lived this long did not die of its start: the next one begins at once.
const STEADY_MS = 5000
const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 30_000

export interface SlotParts {
  readonly place: Place
  readonly log: Logger
  readonly child: Omit<WorkerChildParts, 'place' | 'owner' | 'config' | 'isFirst' | 'onExit'>
  readonly nextOwner: () => number
  /** The shortest time from the end of a process to the next one's start, in milliseconds. */
  readonly restartMs?: (config: Config) => number
  /** The longest such time for one that keeps dying, in milliseconds; 30 s when absent. */
  readonly longestDelayMs?: (dead: WorkerChild) => number
  /** Whether the daemon has started: before, one that dies without having served ends it. */
  readonly hasStarted: () => boolean
  /** A process has ended; if it was the one that serves, another begins by itself. */
  readonly onExit: (slot: Slot, child: WorkerChild, death: Death) => void
}

/** The place of one process: starts its process, another when that one dies, and one beside it that takes over in a reload. */
export class Slot {
  readonly place: Place
  restarts = 0
  /** Milliseconds until the next process begins; 0 when none is waited for. */
  delayMs = 0
  readonly #parts: SlotParts
  readonly #draining = new Set<WorkerChild>()
  readonly #abandoned = new WeakSet<WorkerChild>()
  #config: Config
  #current: WorkerChild | undefined
  #next: WorkerChild | undefined
  #deaths = 0
  #timer: NodeJS.Timeout | undefined
  #isStopping = false

  constructor(parts: SlotParts, config: Config) {
    this.place = parts.place
    this.#parts = parts
    this.#config = config
  }

  get index(): number {
    return this.place.index
  }

  /** The process that serves; undefined for a moment after it died. */
  get current(): WorkerChild | undefined {
    return this.#current
  }

  /** Every process of this place: the one that serves, one that is to, and those that have been replaced. */
  get children(): WorkerChild[] {
    return [this.#current, this.#next, ...this.#draining].filter((child) => child !== undefined)
  }

  get draining(): ReadonlySet<WorkerChild> {
    return this.#draining
  }

  get isReady(): boolean {
    return this.#current?.isReady === true
  }

  /** Starts the process that serves. @param options `isFirst`: of the daemon */
  start({ isFirst = false } = {}): WorkerChild {
    this.#timer = undefined
    this.delayMs = 0
    this.#current = this.#spawn(this.#config, isFirst)
    return this.#current
  }

  /** Starts the process that is to take over. @throws ReloadError when there is to be none here any more: a stop has begun meanwhile */
  prepare(config: Config): WorkerChild {
    if (this.#isStopping) throw new ReloadError(`Cannot put another process in the place of ${placeText(this.place)}: it is being stopped`)
    this.#next = this.#spawn(config)
    return this.#next
  }

  /** The one that was prepared serves from now on; the other one drains. */
  promote(): void {
    const next = this.#next
    if (next === undefined) return
    this.#cancelStart()
    const old = this.#current
    if (old !== undefined) this.#drain(old)
    this.#config = next.config
    this.#current = next
    this.#next = undefined
    this.#deaths = 0
  }

  /** The one that was prepared is not to take over after all. */
  abandon(): void {
    if (this.#next !== undefined) {
      this.#abandoned.add(this.#next)
      this.#next.kill()
    }
    this.#next = undefined
    if (this.#current === undefined && this.#timer === undefined && !this.#isStopping) this.#tryStart()
  }

  /** There is to be no worker here any more: the one that serves drains. */
  retire(): void {
    this.#isStopping = true
    this.#cancelStart()
    if (this.#current !== undefined) this.#drain(this.#current)
    this.#current = undefined
  }

  /** @param others of the daemon; the one that serves here is to end after them */
  async stop(maxWaitSeconds: number, others?: Promise<unknown>): Promise<void> {
    this.#isStopping = true
    this.#cancelStart()
    await Promise.all(this.children.map((child) => child.stop(maxWaitSeconds, child === this.#current ? others : undefined)))
  }

  kill(): void {
    this.#isStopping = true
    this.#cancelStart()
    for (const child of this.children) child.kill()
  }

  #cancelStart(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.delayMs = 0
  }

  #drain(child: WorkerChild): void {
    child.isLeaving = true
    this.#draining.add(child)
  }

  #spawn(config: Config, isFirst = false): WorkerChild {
    const { child, nextOwner } = this.#parts
    return new WorkerChild({
      ...child,
      place: this.place,
      owner: nextOwner(),
      config,
      isFirst,
      onExit: (ended, code, signal) => this.#exited(ended, code, signal),
    })
  }

  #exited(child: WorkerChild, code: number | null, signal: NodeJS.Signals | null): void {
    const isCurrent = child === this.#current
    const isExpected = this.#isStopping || (!isCurrent && code === 0) || this.#abandoned.has(child)
    // One that never served is told of where it was to start.
    const isDeath = !isExpected && !isReturn(this.place, code) && (isCurrent || child.state !== 'starting')
    if (isCurrent) this.#current = undefined
    if (child === this.#next) this.#next = undefined
    this.#draining.delete(child)
    // While one is being prepared it is waited for: whether it takes over is decided there.
    if (isCurrent && !this.#isStopping && this.#next === undefined) this.#startAgain(child)
    if (!isExpected) this.#report(child, { code, signal }, isCurrent && (child.state !== 'starting' || this.#parts.hasStarted()))
    this.#parts.onExit(this, child, { code, signal, isDeath })
  }

  #report({ pid }: WorkerChild, death: { code: number | null; signal: NodeJS.Signals | null }, isFollowed: boolean): void {
    const { role, index } = this.place
    const who = role === 'worker' ? { worker: index } : { process: placeText(this.place) }
    const what = role === 'worker' ? 'Worker' : 'Process'
    const [next, delay] = isFollowed ? [': starting another', { delayMs: this.delayMs }] : ['', undefined]
    if (isReturn(this.place, death.code)) this.#parts.log.info({ ...who, childPid: pid, ...delay }, `${what} has returned${next}`)
    else this.#parts.log.error({ ...who, childPid: pid, ...death, ...delay }, `${what} died${next}`)
  }

  #startAgain(dead: WorkerChild): void {
    const lived = Date.now() - dead.startedAt
    this.#deaths = lived >= STEADY_MS ? 0 : this.#deaths + 1
    const longestMs = this.#parts.longestDelayMs?.(dead) ?? LONGEST_DELAY_MS
    this.delayMs = Math.max(this.#backoffMs(longestMs), this.#parts.restartMs?.(this.#config) ?? 0)
    this.restarts++
    this.#startLater()
  }

  #startLater(): void {
    this.#timer = setTimeout(() => this.#tryStart(), this.delayMs)
  }

  /** There may be no memory for a process: that is to end neither this one nor the place. */
  #tryStart(): void {
    try {
      this.start()
    } catch (error) {
      this.#deaths++
      this.delayMs = this.#backoffMs(LONGEST_DELAY_MS)
      this.#parts.log.error({ err: error, process: placeText(this.place), delayMs: this.delayMs }, 'Cannot start a process: trying again')
      this.#startLater()
    }
  }

  #backoffMs(longestMs: number): number {
    return this.#deaths <= 1 ? 0 : Math.min(FIRST_DELAY_MS * 2 ** (this.#deaths - 2), longestMs)
  }
}

/** Whether a custom process has ended as it may. */
function isReturn({ role }: Place, code: number | null): boolean {
  return role === 'process' && code === 0
}
