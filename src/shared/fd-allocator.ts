import type { Rows, Store } from './store.ts'

const EPOCH_MS = Date.UTC(2026, 0, 1)
// A daemon gives out fewer, so that it never catches up with the clock, and the next one begins behind its last fd.
const FDS_PER_MS = 1000
// One transaction for so many connections.
const BLOCK = 1000

/**
 * Numbers of connections, or of tasks: unique over all processes of a daemon and over its restarts, so that an fd kept from an earlier run
 * never denotes another client. The first is the millisecond of the daemon's first connection (since 2026) times a thousand, plus one.
 */
export class FdAllocator {
  readonly #store: Store
  readonly #rows: Rows
  readonly #key: Buffer
  #next = 0
  #end = 0

  constructor(store: Store, what: 'fd' | 'task' = 'fd') {
    this.#store = store
    this.#rows = store.rows('fds')
    this.#key = Buffer.from(what)
  }

  /** Whatever is given from now on is higher than this. */
  raise(above: number): void {
    this.#store.transaction(() => {
      if (above < this.#first) return
      this.#write(above + 1)
      this.#end = this.#next
    })
  }

  next(): number {
    if (this.#next === this.#end) this.#reserve()
    return this.#next++
  }

  #reserve(): void {
    this.#store.transaction(() => {
      const first = this.#first
      this.#write(first + BLOCK)
      this.#next = first
      this.#end = first + BLOCK
    })
  }

  /** The first number that nobody has. */
  get #first(): number {
    return this.#rows.get(this.#key)?.readDoubleLE(0) ?? (Date.now() - EPOCH_MS) * FDS_PER_MS + 1
  }

  #write(first: number): void {
    const value = Buffer.alloc(8)
    value.writeDoubleLE(first)
    this.#rows.put(this.#key, value)
  }
}
