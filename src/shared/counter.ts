import type { Counter } from '../contracts/table.ts'
import { shows } from '../shows.ts'
import { valueText } from '../value-text.ts'
import { newNameBytes } from './name.ts'
import type { Rows, Store } from './store.ts'

/**
 * An atomic integer that all processes share; 0 until somebody adds to it.
 * @throws RangeError when the name is empty, longer than 400 bytes or not well-formed
 */
export function counter(store: Store, name: string): Counter {
  return new SharedCounter(store, store.rows('counters'), newNameBytes('counter', name))
}

class SharedCounter implements Counter {
  static {
    shows(SharedCounter, 'Counter', ['value'])
  }

  readonly #store: Store
  readonly #rows: Rows
  readonly #key: Buffer

  constructor(store: Store, rows: Rows, key: Buffer) {
    this.#store = store
    this.#rows = rows
    this.#key = key
  }

  get value(): number {
    const bytes = this.#rows.get(this.#key)
    return bytes === undefined ? 0 : Number(bytes.readBigInt64LE(0))
  }

  add(n: number): number {
    if (!Number.isSafeInteger(n)) throw new RangeError(`Cannot add ${valueText(n)} to a counter: expected a safe integer`)
    return this.#store.transaction(() => {
      const sum = this.value + n
      if (!Number.isSafeInteger(sum)) throw new RangeError(`Cannot add ${n} to a counter: ${this.#key} would leave the range of safe integers`)
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64LE(BigInt(sum))
      this.#rows.put(this.#key, bytes)
      return sum
    })
  }
}
