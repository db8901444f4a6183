import { checkOptions } from '../arguments.ts'
import type { TableConfig } from '../config/schema.ts'
import type { ColumnValue, Row, Table } from '../contracts/table.ts'
import { TableFullError, TableValueError } from '../errors.ts'
import { shows } from '../shows.ts'
import { valueText } from '../value-text.ts'
import { RowCodec } from './row-codec.ts'
import type { Rows, Store } from './store.ts'

const MAX_KEY_BYTES = 511
// Rows that one step of an iteration reads.
const BATCH = 256

/** A table of the config, over rows that all processes share. */
export class SharedTable implements Table {
  static {
    shows(SharedTable, 'Table', ['name', 'size', 'count'])
  }

  readonly name: string
  readonly size: number
  readonly #store: Store
  readonly #rows: Rows
  readonly #codec: RowCodec

  constructor(parts: { name: string; config: TableConfig; store: Store; rows: Rows }) {
    this.name = parts.name
    this.size = parts.config.size
    this.#store = parts.store
    this.#rows = parts.rows
    this.#codec = new RowCodec(parts.name, parts.config.columns)
  }

  get count(): number {
    return this.#rows.count
  }

  set(key: string, row: Partial<Row>): void {
    this.#put(this.#key(key), this.#codec.encode(row))
  }

  get(key: string): Row | undefined
  get(key: string, column: string): ColumnValue | undefined
  get(key: string, column?: string): Row | ColumnValue | undefined {
    const bytes = this.#rows.peek(this.#key(key))
    if (column === undefined) return bytes === undefined ? undefined : this.#codec.decode(bytes)
    const known = this.#codec.column(column)
    return bytes === undefined ? undefined : this.#codec.read(bytes, known)
  }

  del(key: string): boolean {
    return this.#rows.delete(this.#key(key))
  }

  has(key: string): boolean {
    return this.#rows.has(this.#key(key))
  }

  incr(key: string, column: string, by = 1): number {
    const known = this.#codec.column(column)
    if (known.type === 'string') throw new TableValueError(`Cannot add to column "${column}" of table "${this.name}": it is a string`)
    if (typeof by !== 'number' || Number.isNaN(by))
      throw new TableValueError(`Cannot add ${valueText(by)} to column "${column}" of table "${this.name}": expected a number`)
    const keyBytes = this.#key(key)
    return this.#store.transaction(() => {
      const old = this.#rows.get(keyBytes)
      const bytes = old === undefined ? Buffer.alloc(this.#codec.bytes) : Buffer.from(old)
      const sum = (this.#codec.read(bytes, known) as number) + by
      this.#codec.write(bytes, known, sum)
      if (old === undefined) this.#put(keyBytes, bytes)
      else this.#rows.put(keyBytes, bytes)
      return sum
    })
  }

  decr(key: string, column: string, by = 1): number {
    return this.incr(key, column, typeof by === 'number' ? -by : by)
  }

  clear(): void {
    this.#store.transaction(() => this.#rows.clear())
  }

  /** Rows are read a few hundred at a time: one that is set or deleted meanwhile may or may not be seen, every other is, once. */
  *entries(options: { prefix?: string } = {}): Iterable<[string, Row]> {
    checkOptions(`read table "${this.name}"`, options, ['prefix'])
    const prefix = Buffer.from(options.prefix ?? '')
    // No key begins with it.
    if (prefix.length > MAX_KEY_BYTES || options.prefix?.isWellFormed() === false) return
    let from = prefix.length === 0 ? FIRST_KEY : prefix
    for (;;) {
      const rows = this.#rows.range(from, BATCH)
      for (const { key, value } of rows) {
        if (!key.subarray(0, prefix.length).equals(prefix)) return
        yield [key.toString(), this.#codec.decode(value)]
      }
      const last = rows.at(-1)
      if (last === undefined || rows.length < BATCH) return
      from = Buffer.concat([last.key, FIRST_KEY])
    }
  }

  [Symbol.iterator](): Iterator<[string, Row]> {
    return this.entries()[Symbol.iterator]()
  }

  #put(key: Buffer, value: Buffer): void {
    this.#store.transaction(() => {
      if (!this.#rows.has(key) && this.#rows.count >= this.size) throw new TableFullError(this.name, this.size)
      this.#rows.put(key, value)
    })
  }

  #key(key: string): Buffer {
    const bytes = typeof key === 'string' && key.isWellFormed() ? Buffer.from(key) : EMPTY
    if (bytes.length > 0 && bytes.length <= MAX_KEY_BYTES) return bytes
    throw new TableValueError(`Cannot use ${valueText(key)} as a key of table "${this.name}": expected a well-formed string of 1 to ${MAX_KEY_BYTES} bytes`)
  }
}

const EMPTY = Buffer.alloc(0)
const FIRST_KEY = Buffer.from([0])
