import type { Cron } from 'croner'
import type { Clock } from './clock.ts'

/** When a timer is due, one time after the other. */
export interface Timetable {
  /** The time that `due` is measured by. */
  now(): number
  /** The next time; undefined when there is none any more. */
  readonly due: number | undefined
  /** The one behind it. */
  readonly following: number | undefined
  /** `due` has been dealt with. */
  advance(): void
  /** Goes on to the last time that is not after `now`. @returns how many it has passed over */
  skipTo(now: number): number
  /** Somebody may have set the clock. */
  check(): void
}

/** Every so often: the n-th time is start + n · interval, so that nothing adds up. */
export class IntervalTimetable implements Timetable {
  readonly #clock: Clock
  readonly #interval: number
  readonly #start: number
  #n = 1

  constructor(clock: Clock, interval: number) {
    this.#clock = clock
    this.#interval = interval
    this.#start = clock.monotonic()
  }

  now(): number {
    return this.#clock.monotonic()
  }

  get due(): number {
    return this.#start + this.#n * this.#interval
  }

  get following(): number {
    return this.#start + (this.#n + 1) * this.#interval
  }

  advance(): void {
    this.#n++
  }

  skipTo(now: number): number {
    const passed = Math.max(0, Math.floor((now - this.due) / this.#interval))
    this.#n += passed
    return passed
  }

  check(): void {
    // Nobody can set this clock.
  }
}

// A schedule of every second on a machine that has slept for a day: what is missed need not be counted to the last one.
const MAX_STEPS = 1000
// A clock that is corrected by less than this is left alone.
const SET_BACK_MS = 1000

/** By a cron expression, in the machine's time of day. */
export class CronTimetable implements Timetable {
  readonly #clock: Clock
  readonly #cron: Cron
  #due: number | undefined
  #following: number | undefined
  #seen: number

  /** @param due what is to come next, in a timer that goes on for another: it may have passed */
  constructor(clock: Clock, cron: Cron, due: number = Number.POSITIVE_INFINITY) {
    this.#clock = clock
    this.#cron = cron
    this.#seen = clock.wall()
    this.#startFrom(Math.min(this.#seen, due - 1))
  }

  now(): number {
    return this.#clock.wall()
  }

  get due(): number | undefined {
    return this.#due
  }

  get following(): number | undefined {
    return this.#following
  }

  advance(): void {
    this.#due = this.#following
    this.#following = this.#after(this.#due)
  }

  skipTo(now: number): number {
    let passed = 0
    while (this.#following !== undefined && this.#following <= now) {
      this.advance()
      if (++passed === MAX_STEPS) {
        this.#startFrom(now)
        break
      }
    }
    return passed
  }

  check(): void {
    const now = this.now()
    // Otherwise nothing would run until the clock is where it was.
    if (now < this.#seen - SET_BACK_MS) this.#startFrom(now)
    this.#seen = now
  }

  #startFrom(now: number): void {
    this.#due = this.#after(now)
    this.#following = this.#after(this.#due)
  }

  #after(time: number | undefined): number | undefined {
    return time === undefined ? undefined : this.#cron.nextRun(new Date(time))?.getTime()
  }
}
