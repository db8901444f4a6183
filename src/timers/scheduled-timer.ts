import { Histogram, type HistogramReport } from '../metrics/histogram.ts'
import type { Clock } from './clock.ts'
import type { Timetable } from './timetable.ts'

// How late a run may begin without being missed: a loop that was busy for a moment costs no run of a fast timer.
const LATE_MS = 15
// Never asleep for longer, as somebody may set the clock; and setTimeout takes no more than 2^31 - 1.
const NAP_MS = 60_000
// With `overlap` runs that never end would add up.
const MAX_RUNNING = 1000

/** What one timer did so far, as plain data. Times are milliseconds since 1970. */
export interface TimerReport {
  readonly name: string
  /** `every 500 ms`, or the cron expression. */
  readonly when: string
  readonly state: 'waiting' | 'running' | 'stopped'
  readonly runs: number
  /** Runs that were due while the one before was under way, or while the process could not run. */
  readonly skipped: number
  readonly errors: number
  readonly lastRunAt: number | undefined
  readonly nextRunAt: number | undefined
  readonly seconds: HistogramReport
}

export interface ScheduledTimerParts {
  readonly name: string
  readonly when: string
  readonly immediate: boolean
  readonly overlap: boolean
  readonly clock: Clock
  /** Made when the timer starts: its start is what an interval counts from. */
  readonly timetable: () => Timetable
  readonly run: () => unknown
  readonly onError: (error: unknown) => void
}

/** One timer: runs what it is given when that is due, and counts. Touches neither the machine's clock nor its timers by itself. */
export class ScheduledTimer {
  readonly name: string
  readonly #parts: ScheduledTimerParts
  readonly #seconds = new Histogram()
  #timetable: Timetable | undefined
  #alarm: { cancel(): void } | undefined
  #isStopped = false
  #runs = 0
  #skipped = 0
  #errors = 0
  #running = 0
  #lastRunAt: number | undefined
  /** By the timetable's clock. */
  #lastEnd = Number.NEGATIVE_INFINITY
  #idle = Promise.withResolvers<void>()

  constructor(parts: ScheduledTimerParts) {
    this.name = parts.name
    this.#parts = parts
  }

  start(): void {
    if (this.#timetable !== undefined || this.#isStopped) return
    this.#timetable = this.#parts.timetable()
    if (this.#parts.immediate) this.#begin(this.#timetable)
    this.#turn()
  }

  /** No further run. One that is under way goes on. */
  stop(): void {
    this.#isStopped = true
    this.#alarm?.cancel()
  }

  /** Resolves when no run is under way. */
  whenIdle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    return this.#idle.promise
  }

  report(): TimerReport {
    const { name, when, clock } = this.#parts
    const due = this.#isStopped ? undefined : this.#timetable?.due
    const isOver = this.#isStopped || (this.#timetable !== undefined && due === undefined)
    return {
      name,
      when,
      state: this.#running > 0 ? 'running' : isOver ? 'stopped' : 'waiting',
      runs: this.#runs,
      skipped: this.#skipped,
      errors: this.#errors,
      lastRunAt: this.#lastRunAt,
      nextRunAt: due === undefined || this.#timetable === undefined ? undefined : Math.round(clock.wall() + due - this.#timetable.now()),
      seconds: this.#seconds.report(),
    }
  }

  /** Does what is due, and has itself woken for what is due next. */
  #turn(): void {
    const timetable = this.#timetable
    if (timetable === undefined) return
    timetable.check()
    while (!this.#isStopped) {
      const { due } = timetable
      if (due === undefined) return
      const late = timetable.now() - due
      if (late < 0) return this.#wakeAfter(-late)
      const wait = this.#isBusy && late < LATE_MS ? LATE_MS - late : 0
      // The run before may just end in time.
      if (wait > 0) return this.#wakeAfter(wait)
      if (this.#isMissed(due, late)) {
        timetable.advance()
        this.#skipped++
      } else if (late >= LATE_MS && (timetable.following ?? Number.POSITIVE_INFINITY) <= due + late) {
        this.#skipped += timetable.skipTo(due + late)
      } else {
        timetable.advance()
        this.#begin(timetable)
      }
    }
  }

  get #isBusy(): boolean {
    return this.#running >= (this.#parts.overlap ? MAX_RUNNING : 1)
  }

  /** Whether the run before was under way when this one was due. */
  #isMissed(due: number, late: number): boolean {
    if (this.#isBusy) return true
    return !this.#parts.overlap && late >= LATE_MS && this.#lastEnd - due > LATE_MS
  }

  #wakeAfter(ms: number): void {
    this.#alarm?.cancel()
    this.#alarm = this.#parts.clock.wakeAfter(Math.min(ms, NAP_MS), () => this.#turn())
  }

  #begin(timetable: Timetable): void {
    const { clock, run } = this.#parts
    const began = clock.monotonic()
    this.#running++
    this.#runs++
    this.#lastRunAt = clock.wall()
    try {
      const result = run()
      if (isThenable(result)) {
        void Promise.resolve(result)
          .catch((error: unknown) => this.#failed(error))
          .then(() => {
            this.#ended(timetable, began)
            this.#turn()
          })
        return
      }
    } catch (error) {
      this.#failed(error)
    }
    this.#ended(timetable, began)
  }

  #ended(timetable: Timetable, began: number): void {
    this.#running--
    this.#lastEnd = timetable.now()
    this.#seconds.observeMs(this.#parts.clock.monotonic() - began)
    if (this.#running > 0) return
    this.#idle.resolve()
    this.#idle = Promise.withResolvers()
  }

  #failed(error: unknown): void {
    this.#errors++
    this.#parts.onError(error)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
