import type { Logger } from '../contracts/logger.ts'
import type { TaskBook } from './task-book.ts'

// A clock that is corrected by less than this is left alone, as timers do.
const LEAST_MS = 1000

/**
 * Sees to it that nothing waits for longer as somebody sets the machine's clock back. That it goes ahead may as well be a machine that has
 * slept: what was due then is due.
 */
export class SetBack {
  readonly #book: TaskBook
  readonly #log: Logger
  #ahead = Date.now() - performance.now()

  constructor(book: TaskBook, log: Logger) {
    this.#book = book
    this.#log = log
  }

  /** Comes before all that goes by the clock: no task has its time by the new one yet. */
  follow(): void {
    const before = this.#ahead
    this.#ahead = Date.now() - performance.now()
    const ms = before - this.#ahead
    if (ms < LEAST_MS) return
    // By the same time for all: they stay in order where they wait.
    for (const entry of this.#book.entries.values()) entry.due -= ms
    this.#log.warn({ ms: Math.round(ms) }, 'The clock was set back: tasks do not wait for longer')
  }
}
