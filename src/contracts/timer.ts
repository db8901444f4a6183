import type { Daemon } from './daemon.ts'
import type { Logger } from './logger.ts'

/** Marks a timer class: also one that extends the class of another copy of this package is known by it. */
export const TIMER: unique symbol = Symbol.for('polyport.timer')
/** What `stop()` calls: set by the scheduler that runs the timer. */
export const STOP_TIMER: unique symbol = Symbol.for('polyport.timer.stop')

/**
 * Work that is done again and again, in the timer process of the daemon: one process runs every timer that the modules of
 * `timers.modules` export, one instance of each class. Made with no arguments; the members are there in `run`, not in the
 * constructor. `interval`, `schedule`, `timezone`, `immediate` and `overlap` are read once, when the timer is loaded;
 * `timers.jobs` of the config overrides them.
 */
export abstract class Timer {
  static readonly [TIMER]: boolean = true
  declare [STOP_TIMER]?: () => void

  /** The door to every connection of every worker, users, groups and tables. */
  declare readonly daemon: Daemon
  /** `options` of the timer's entry in `timers.jobs`. */
  declare readonly options: Record<string, unknown>
  /** A logger that names the timer. */
  declare readonly log: Logger

  /** Milliseconds from one run to the next: the n-th is due at start + n · interval, whatever the ones before it took. Either this or `schedule`. */
  interval?: number | undefined
  /** A cron expression of five fields, or six with seconds first. Either this or `interval`. */
  schedule?: string | undefined
  /** The time zone of `schedule`, such as `Europe/Berlin`. The machine's own when absent. */
  timezone?: string | undefined
  /** Whether it also runs at once when it is started. @default false */
  immediate: boolean = false
  /** Whether a run may begin while the one before is not done. Otherwise the run is skipped, and counted. @default false */
  overlap: boolean = false

  /** Called when it is due. What it throws or rejects with is logged and counted; the next run comes all the same. */
  abstract run(): void | Promise<void>

  /** Runs no more, until the daemon is reloaded or started anew. A run that is under way goes on. */
  stop(): void {
    this[STOP_TIMER]?.()
  }
}
