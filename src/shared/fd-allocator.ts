import type { Rows, Store } from './store.ts'

const EPOCH_MS = Date.UTC(2026, 0, 1)
// A daemon gives out fewer, so that it never catches up with the clock, and the next one begins behind its last fd.
const FDS_PER_MS = 1000
// One transaction for so many connections.
const BLOCK = 1000
const KEY = Buffer.from('fd')

/**
 * Numbers of connections: unique over all processes of a daemon and over its restarts, so that an fd kept from an earlier run
 * never denotes another client. The first is the millisecond of the daemon's first connection (since 2026) times a thousand, plus one.
 */
export class FdAllocator {
  readonly #store: Store
  readonly #rows: Rows
  #next = 0
  #end = 0

  constructor(store: Store) {
    this.#store = store
    this.#rows = store.rows('fds')
  }

  next(): number {
    if (this.#next === this.#end) this.#reserve()
    return this.#next++
  }

  #reserve(): void {
    this.#store.transaction(() => {
      const first = this.#rows.get(KEY)?.readDoubleLE(0) ?? (Date.now() - EPOCH_MS) * FDS_PER_MS + 1
      const value = Buffer.alloc(8)
      value.writeDoubleLE(first + BLOCK)
      this.#rows.put(KEY, value)
      this.#next = first
      this.#end = first + BLOCK
    })
  }
}
