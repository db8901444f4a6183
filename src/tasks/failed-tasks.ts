import { deserialize, serialize } from 'node:v8'
import type { TaskStore } from '../shared/task-store.ts'
import type { PlainError } from './task-messages.ts'
import { decodeRecord, type TaskRecord } from './task-record.ts'

/** A task that has failed for good. */
export interface FailedTask {
  readonly record: Buffer
  readonly error: PlainError
  readonly failedAt: number
}

/** What is kept of tasks that have failed, on disk until somebody retries or drops them. */
export class FailedTasks {
  readonly #store: TaskStore
  readonly #limit: number
  /** By number, the oldest failure first. */
  readonly #ids = new Set<number>()

  constructor(parts: { store: TaskStore; limit: number }) {
    this.#store = parts.store
    this.#limit = parts.limit
  }

  get size(): number {
    return this.#ids.size
  }

  load(): void {
    const found = Array.from(this.#store.failed(), ({ id, value }) => ({ id, failedAt: decode(value).failedAt }))
    for (const { id } of found.sort((a, b) => a.failedAt - b.failedAt)) this.#ids.add(id)
  }

  /** @returns the number of one that had to go for it, the oldest */
  add(id: number, failed: FailedTask): number | undefined {
    this.#ids.delete(id)
    this.#ids.add(id)
    this.#store.putFailed(id, serialize({ ...failed, error: { ...failed.error } }))
    if (this.#ids.size <= this.#limit) return undefined
    const [oldest] = this.#ids
    if (oldest !== undefined) this.remove(oldest)
    return oldest
  }

  get(id: number): FailedTask | undefined {
    const value = this.#ids.has(id) ? this.#store.failedTask(id) : undefined
    return value === undefined ? undefined : decode(value)
  }

  remove(id: number): boolean {
    if (!this.#ids.delete(id)) return false
    this.#store.removeFailed(id)
    return true
  }

  /** The latest first. */
  list(limit: number): { task: TaskRecord; error: PlainError; failedAt: number }[] {
    return [...this.#ids]
      .slice(-limit)
      .reverse()
      .flatMap((id) => {
        const failed = this.get(id)
        return failed === undefined ? [] : [{ ...failed, task: decodeRecord(failed.record) }]
      })
  }

  get ids(): readonly number[] {
    return [...this.#ids]
  }
}

function decode(value: Buffer): FailedTask {
  const { record, error, failedAt } = deserialize(value) as FailedTask
  return { record: Buffer.from(record), error, failedAt }
}
