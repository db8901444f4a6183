import type { TaskStore } from '../shared/task-store.ts'
import type { Entry } from './entry.ts'
import { writeState } from './task-record.ts'

// What is kept in memory of tasks that are on disk, so that most need not be read back.
const HOT_BYTES = 64 * 1024 * 1024
const HOT_TASKS = 20_000
// One that is due later than this is read back when its time has come.
const HOT_MS = 1000

/** Every task that is not done: the entry in memory, the bytes on disk. */
export class TaskBook {
  readonly entries = new Map<number, Entry>()
  readonly #store: TaskStore
  #numHot = 0
  readonly #asked = new Set<Entry>()
  #hotBytes = 0
  #settling: { readonly entry: Entry; readonly record: Buffer }[] = []

  constructor(store: TaskStore) {
    this.#store = store
  }

  get size(): number {
    return this.entries.size
  }

  /** One that is on disk already, or never is. */
  add(entry: Entry): void {
    this.entries.set(entry.id, entry)
    if (!entry.isStored) this.#asked.add(entry)
    if (entry.record !== undefined) this.#heat(entry, entry.record)
  }

  /** Writes what has changed of an entry: on disk with the next commit. */
  write(entry: Entry): void {
    const record = this.recordOf(entry)
    if (record !== undefined && entry.isStored) this.#store.put(entry.id, record)
  }

  /** In place of the bytes that it had. */
  replace(entry: Entry, record: Buffer): void {
    this.#cool(entry)
    entry.record = record
    entry.numBytes = record.length
    this.#heat(entry, record)
  }

  /** The bytes as they are to be passed on; undefined when they are not there any more. */
  recordOf(entry: Entry): Buffer | undefined {
    const record = entry.record ?? this.#store.task(entry.id)
    if (record === undefined) return undefined
    writeState(record, entry)
    if (entry.record === undefined) {
      entry.record = record
      this.#heat(entry, record)
    }
    return record
  }

  /** As `recordOf`, for one look: what is only on disk stays there. */
  peek(entry: Entry): Buffer | undefined {
    const record = entry.record ?? this.#store.task(entry.id)
    if (record !== undefined) writeState(record, entry)
    return record
  }

  /** It has been written and waits: its bytes may go from memory once they are on disk. */
  settle(entry: Entry): void {
    if (!entry.isStored || entry.record === undefined) return
    this.#settling.push({ entry, record: entry.record })
    if (this.#settling.length === 1) setImmediate(() => void this.#settle())
  }

  /** It is on disk as it is here: its bytes may go from memory when they are not needed soon. */
  mayCool(entry: Entry, now: number): void {
    if (!entry.isStored || entry.givenAt > 0) return
    if (entry.due > now + HOT_MS || this.#hotBytes > HOT_BYTES || this.#numHot > HOT_TASKS) this.#cool(entry)
  }

  /** Those that a process waits for. */
  askedBy(owner: number): Entry[] {
    return Array.from(this.#asked).filter(({ asker }) => asker === owner)
  }

  /** It is not on disk. */
  lose(entry: Entry): void {
    this.#cool(entry)
    this.#asked.delete(entry)
    this.entries.delete(entry.id)
  }

  forget(entry: Entry): void {
    this.#cool(entry)
    this.#asked.delete(entry)
    if (this.entries.delete(entry.id) && entry.isStored) this.#store.remove(entry.id)
  }

  async #settle(): Promise<void> {
    const settling = this.#settling
    this.#settling = []
    try {
      await this.#store.commit()
    } catch {
      // The disk is full, or the queue stops: they stay.
      return
    }
    const now = Date.now()
    // Meanwhile one may have got an output, which is not on disk yet. Of its state what is in memory counts.
    for (const { entry, record } of settling) if (entry.record === record) this.mayCool(entry, now)
  }

  #heat(entry: Entry, record: Buffer): void {
    if (entry.isHot) return
    entry.isHot = true
    this.#numHot++
    this.#hotBytes += record.length
  }

  #cool(entry: Entry): void {
    if (entry.isHot) {
      this.#hotBytes -= entry.numBytes
      this.#numHot--
      entry.isHot = false
    }
    entry.record = undefined
  }
}
