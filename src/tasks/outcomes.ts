import type { Logger } from '../contracts/logger.ts'
import { thrownThere } from '../ipc/thrown-error.ts'
import type { Entry } from './entry.ts'
import type { FailedTasks } from './failed-tasks.ts'
import type { TaskBook } from './task-book.ts'
import type { Answer, PlainError, TaskResult } from './task-messages.ts'
import { STAGE, withOutput } from './task-record.ts'
import type { TaskStats } from './task-stats.ts'

// A task that has been alone in so many processes when they died is set aside, whatever its tries.
const MIN_KILLS = 3
const LONGEST_BACKOFF_MS = 24 * 3600 * 1000
// From the smallest fraction of a millisecond that anybody gives, more than a day.
const MAX_DOUBLINGS = 64
// So that tasks which failed together are not tried together.
const JITTER = 0.25

export interface OutcomesParts {
  readonly book: TaskBook
  readonly failed: FailedTasks
  readonly stats: TaskStats
  readonly log: Logger
  /** It waits anew. */
  readonly again: (entry: Entry) => void
  readonly answer: (owner: number, answer: Answer) => void
}

/** What becomes of a task when a process has had it. */
export class Outcomes {
  readonly #parts: OutcomesParts

  constructor(parts: OutcomesParts) {
    this.#parts = parts
  }

  take(entry: Entry, { output, error }: TaskResult): void {
    const { book, stats } = this.#parts
    if (error !== undefined) return this.#failed(entry, error)
    if (!entry.isStored) {
      stats.of(entry.lane.className).done++
      this.#answer(entry, { id: entry.id, ...(output !== undefined && { output }) })
      return
    }
    const record = output === undefined || entry.isFinish ? undefined : book.recordOf(entry)
    if (record === undefined || output === undefined) {
      stats.of(entry.lane.className).done++
      book.forget(entry)
      return
    }
    entry.stage = STAGE.finish
    entry.attempts = 0
    entry.kills = 0
    entry.due = Date.now()
    book.replace(entry, withOutput(record, output))
    book.write(entry)
    this.#parts.again(entry)
  }

  /**
   * The process that had these has ended. When several of them ran, it is not known which one ended it: they are run alone from now on.
   * @param ran those that ran, as far as that is known
   */
  killed(entries: readonly Entry[], ran?: ReadonlySet<number>): void {
    const overdue = entries.filter(({ isOverdue }) => isOverdue)
    for (const entry of overdue) {
      entry.isOverdue = false
      const { className, timeoutMs } = entry.lane
      this.#failed(entry, { name: 'TaskTimeoutError', message: `${className} has run for more than ${timeoutMs} ms` }, { isTimeout: true })
    }
    const suspects = overdue.length > 0 ? [] : entries.filter(({ id }) => ran?.has(id) ?? true)
    for (const entry of entries) {
      if (overdue.includes(entry)) continue
      const isSuspect = suspects.includes(entry)
      if (isSuspect && suspects.length === 1) entry.kills++
      entry.isSuspect = isSuspect && suspects.length > 1
      this.#back(entry)
    }
  }

  #back(entry: Entry): void {
    const { book, stats, log, again } = this.#parts
    const { id: task, lane, tries } = entry
    if (entry.isAbandoned) return book.forget(entry)
    if (entry.kills >= Math.max(tries, MIN_KILLS)) {
      const message = `The process that ran ${lane.className} has died ${entry.kills} times: the task is set aside`
      this.#fail(entry, { name: 'TaskFailedError', message })
      return
    }
    stats.of(lane.className).retried++
    log.warn({ task, class: lane.className, kills: entry.kills }, 'Task is run again: the process that had it has ended')
    book.write(entry)
    again(entry)
  }

  #failed(entry: Entry, error: PlainError, { isTimeout = false } = {}): void {
    const { book, stats, log, again } = this.#parts
    const { id: task, lane, tries, backoffMs } = entry
    entry.attempts++
    if (entry.attempts >= tries) {
      this.#fail(entry, error, { isTimeout })
      return
    }
    // Doubled as often as makes a difference: no pause at all, doubled without end, is no number.
    const doubled = backoffMs * 2 ** Math.min(entry.attempts - 1, MAX_DOUBLINGS)
    const pauseMs = Math.round(Math.min(doubled, LONGEST_BACKOFF_MS) * (1 + JITTER * Math.random()))
    entry.due = Date.now() + pauseMs
    stats.of(lane.className).retried++
    log.warn({ task, class: lane.className, attempt: entry.attempts, tries, err: thrownThere(error) }, `Task failed: it is tried again in ${pauseMs} ms`)
    book.write(entry)
    again(entry)
    book.settle(entry)
  }

  #fail(entry: Entry, error: PlainError, { isTimeout = false } = {}): void {
    const { book, failed, stats, log } = this.#parts
    const { id: task, lane } = entry
    stats.of(lane.className).failed++
    log.error({ task, class: lane.className, err: thrownThere(error) }, entry.isFinish ? 'Task failed in finish' : 'Task failed')
    if (!entry.isStored) return this.#answer(entry, { id: task, error, isTimeout })
    const record = book.recordOf(entry)
    const gone = record === undefined ? undefined : failed.add(task, { record, error, failedAt: Date.now() })
    if (gone !== undefined) log.warn({ task: gone }, 'The oldest failed task is dropped: as many as tasks.maxFailed are kept')
    book.forget(entry)
  }

  #answer(entry: Entry, answer: Answer): void {
    this.#parts.book.forget(entry)
    this.#parts.answer(entry.asker, answer)
  }
}
