import type { Entry } from './entry.ts'
import type { TaskResult } from './task-messages.ts'

// What may wait in a process behind what runs there: as much as hides the way to the queue and back, and little enough that nothing
// waits for long behind a task that turns out to be slow.
const AHEAD_MS = 4
const AHEAD_TASKS = 128
const BYTES = 16 * 1024 * 1024

/** A process that does tasks, as the queue sees it. */
export class Hand {
  readonly owner: number
  /** How many run there at a time. */
  readonly concurrency: number
  readonly classes: ReadonlySet<string>
  /** What it has been given and not answered, in the order in which it begins them. */
  readonly given = new Map<number, Entry>()
  /** What it was given by a queue before this one, and this one has not heard of, with what that has come to: somebody waits for it, and will say so. */
  readonly strangers = new Map<number, TaskResult | undefined>()
  /** Takes nothing new. */
  isLeaving = false
  /** A suspect waits for it to be empty. */
  isWanted = false
  /** When it last answered or was given something while it had nothing, by the clock that nobody can set. */
  movedAt = 0
  #numSuspects = 0
  #expectedMs = 0
  #bytes = 0

  constructor(parts: { owner: number; concurrency: number; classes: ReadonlySet<string> }) {
    this.owner = parts.owner
    this.concurrency = parts.concurrency
    this.classes = parts.classes
  }

  get isFree(): boolean {
    return this.given.size < this.concurrency
  }

  /** A suspect is with it, or waits for it to be empty: it gets nothing else. */
  get isReserved(): boolean {
    return this.isWanted || this.#numSuspects > 0
  }

  /** How long until what it has is done. */
  get loadMs(): number {
    return this.#expectedMs
  }

  /** Whether a task that takes so long may go there now. */
  hasRoom(expectedMs: number): boolean {
    if (this.isLeaving || this.isReserved || (this.#bytes > BYTES && this.given.size > 0)) return false
    if (this.isFree) return true
    return this.given.size < this.concurrency + AHEAD_TASKS && this.#expectedMs + expectedMs <= AHEAD_MS * this.concurrency
  }

  give(entry: Entry): void {
    const { expectedMs } = entry.lane
    const now = performance.now()
    entry.givenAt = now
    entry.startedAt = 0
    // One of which nothing is known fills the process.
    entry.expectedMs = Math.min(expectedMs, 1000 * AHEAD_MS)
    this.#expectedMs += entry.expectedMs
    this.#bytes += entry.numBytes
    if (entry.isSuspect) this.#numSuspects++
    if (this.given.size === 0) this.movedAt = now
    this.given.set(entry.id, entry)
    entry.lane.running++
  }

  take(id: number): Entry | undefined {
    const entry = this.given.get(id)
    if (entry === undefined) return undefined
    this.given.delete(id)
    this.#expectedMs = this.given.size === 0 ? 0 : this.#expectedMs - entry.expectedMs
    this.#bytes = this.given.size === 0 ? 0 : this.#bytes - entry.numBytes
    entry.givenAt = 0
    entry.lane.running--
    if (entry.isSuspect) this.#numSuspects--
    return entry
  }

  /** What runs there, as far as is known here: it begins in the order in which it was given. */
  *running(): IterableIterator<Entry> {
    let left = this.concurrency
    for (const entry of this.given.values()) {
      if (left-- === 0) return
      yield entry
    }
  }
}
