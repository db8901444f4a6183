import type { Logger } from '../contracts/logger.ts'
import type { TaskStore } from '../shared/task-store.ts'
import { Entry } from './entry.ts'
import type { Lane } from './lane.ts'
import type { Producers } from './producers.ts'
import type { TaskBook } from './task-book.ts'
import type { Refused } from './task-messages.ts'
import { decodeRecord, KIND } from './task-record.ts'
import type { TaskStats } from './task-stats.ts'

export interface IntakeParts {
  readonly store: TaskStore
  readonly book: TaskBook
  readonly producers: Producers
  readonly stats: TaskStats
  readonly log: Logger
  readonly maxQueued: number
  readonly lane: (className: string) => Lane
  /** A task is ours: it waits from now on. */
  readonly enqueue: (entry: Entry) => unknown
  readonly accepted: (owner: number, upTo: number) => void
  readonly refused: (owner: number, refused: Refused) => void
}

/** How tasks come in. Each is either accepted, which is said when it is on disk, or refused. */
export class Intake {
  readonly #parts: IntakeParts

  constructor(parts: IntakeParts) {
    this.#parts = parts
  }

  /** Resolves when it has been said what became of them. Those that are on no disk wait already when this returns. */
  async take(owner: number, records: readonly Buffer[]): Promise<void> {
    const { store, book, producers, stats, maxQueued, refused } = this.#parts
    const full: number[] = []
    const fresh: Entry[] = []
    let last = 0
    let producer = 0
    for (const record of records) {
      const fields = decodeRecord(record)
      const isRun = fields.kind === KIND.run
      if (!isRun) {
        producer = fields.producer
        producers.greet(producer, owner)
        last = fields.id
      }
      // It was sent anew as the answer did not come.
      if (isRun ? book.entries.has(fields.id) : fields.id <= producers.last(producer)) continue
      if (book.size >= maxQueued) {
        full.push(fields.id)
        continue
      }
      const entry = new Entry(this.#parts.lane(fields.className), { record, fields, asker: owner })
      book.add(entry)
      stats.of(fields.className)
      if (isRun) this.#parts.enqueue(entry)
      else {
        store.add(entry.id, record)
        fresh.push(entry)
      }
    }
    if (full.length > 0) {
      stats.refused.queue_full += full.length
      refused(owner, { ids: full, reason: 'full', message: `${maxQueued} tasks wait or run, as many as tasks.maxQueued allows` })
    }
    if (fresh.length > 0) producers.accept(producer, last)
    if (last > 0) await this.#settle(owner, fresh, last)
  }

  async #settle(owner: number, fresh: readonly Entry[], last: number): Promise<void> {
    const { store, book } = this.#parts
    try {
      await store.commit()
    } catch (error) {
      this.#refuse(owner, fresh, error)
    }
    this.#parts.accepted(owner, last)
    const now = Date.now()
    for (const entry of fresh) {
      if (!book.entries.has(entry.id)) continue
      this.#parts.enqueue(entry)
      book.mayCool(entry, now)
    }
  }

  #refuse(owner: number, fresh: readonly Entry[], error: unknown): void {
    const { book, stats, log, refused } = this.#parts
    log.error({ err: error }, 'Cannot put tasks on disk')
    stats.refused.disk += fresh.length
    for (const entry of fresh) book.lose(entry)
    refused(owner, { ids: fresh.map(({ id }) => id), reason: 'disk', message: error instanceof Error ? error.message : String(error) })
  }
}
