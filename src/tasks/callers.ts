import type { Entry } from './entry.ts'
import type { TaskBook } from './task-book.ts'
import type { Answer } from './task-messages.ts'
import type { TaskStats } from './task-stats.ts'

export interface CallersParts {
  readonly book: TaskBook
  readonly stats: TaskStats
  /** Takes out one that waits. @returns whether it did */
  readonly withdraw: (entry: Entry) => boolean
  readonly answer: (owner: number, answer: Answer) => void
}

/** Who waits for tasks of `run`. What has begun goes on whatever they do. */
export class Callers {
  readonly #parts: CallersParts

  constructor(parts: CallersParts) {
    this.#parts = parts
  }

  /** A process has ended. */
  lost(owner: number): void {
    for (const entry of this.#parts.book.askedBy(owner)) this.#abandon(entry)
  }

  /** Nobody waits for these any more. */
  forget(ids: readonly number[]): void {
    for (const entry of this.#asked(ids)) this.#abandon(entry)
  }

  /** Who waits for these ends: what has not begun never does, and he is told. */
  revoke(ids: readonly number[]): void {
    for (const entry of this.#asked(ids)) {
      entry.isRevoked = true
      if (this.#parts.withdraw(entry)) this.refuse(entry)
    }
  }

  refuse(entry: Entry): void {
    const { book, answer } = this.#parts
    const message = `${entry.lane.className} has not begun: the process that waits for it ends`
    book.forget(entry)
    answer(entry.asker, { id: entry.id, isClosed: true, error: { name: 'QueueClosedError', message } })
  }

  #asked(ids: readonly number[]): Entry[] {
    const { entries } = this.#parts.book
    return ids.flatMap((id) => entries.get(id) ?? []).filter(({ isStored }) => !isStored)
  }

  #abandon(entry: Entry): void {
    if (entry.isAbandoned) return
    const { book, stats, withdraw } = this.#parts
    entry.isAbandoned = true
    stats.of(entry.lane.className).abandoned++
    // Nobody looks for the result of one that runs.
    if (withdraw(entry)) book.forget(entry)
  }
}
