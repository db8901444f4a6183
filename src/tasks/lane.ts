import { DueHeap } from './due-heap.ts'
import type { Entry } from './entry.ts'

// How fast a lane forgets that a task took long: after 30 quick ones a fifth is left.
const FORGETTING = 0.05

/** What a process says of one of its classes. */
export interface ClassInfo {
  readonly name: string
  /** 0: no limit. */
  readonly concurrency: number
  /** 0: none. */
  readonly timeoutMs: number
}

/** The tasks of one class that wait for one stage. */
export class Lane {
  readonly className: string
  readonly waiting: DueHeap<Entry> = new DueHeap<Entry>()
  /** Of those that wait, how many are suspects: they wait elsewhere. */
  numSuspects = 0
  /** Given to a process. */
  running = 0
  /** How many may be given at a time. */
  limit: number = Number.POSITIVE_INFINITY
  /** 0: none. */
  timeoutMs = 0
  /** How long one takes, on the safe side; undefined until one is known. */
  #expectedMs: number | undefined

  constructor(className: string) {
    this.className = className
  }

  get numWaiting(): number {
    return this.waiting.size + this.numSuspects
  }

  get expectedMs(): number {
    return this.#expectedMs ?? Number.POSITIVE_INFINITY
  }

  learn(ms: number): void {
    const expected = this.#expectedMs ?? ms
    this.#expectedMs = ms >= expected ? ms : expected + (ms - expected) * FORGETTING
  }

  /** As the latest process has it. */
  set info({ concurrency, timeoutMs }: ClassInfo) {
    this.limit = concurrency > 0 ? concurrency : Number.POSITIVE_INFINITY
    this.timeoutMs = timeoutMs
  }
}
