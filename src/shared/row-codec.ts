import type { ColumnConfig } from '../config/schema.ts'
import type { ColumnValue, Row } from '../contracts/table.ts'
import { TableValueError } from '../errors.ts'
import { valueText } from '../value-text.ts'

/** One column in a row's bytes. */
export interface Column {
  readonly name: string
  readonly type: ColumnConfig['type']
  /** Bytes that it takes, the length of a string included. */
  readonly bytes: number
  /** Where they begin. */
  readonly at: number
  readonly min: number
  readonly max: number
  /** string: bytes of UTF-8 at most. */
  readonly size: number
}

const STRING_LENGTH_BYTES = 2

/** Rows of fixed columns as bytes of one length, so that changing a number touches nothing else. */
export class RowCodec {
  readonly columns: readonly Column[]
  readonly bytes: number
  readonly #table: string
  readonly #byName: ReadonlyMap<string, Column>

  constructor(table: string, columns: Readonly<Record<string, ColumnConfig>>) {
    let at = 0
    const list: Column[] = []
    for (const [name, config] of Object.entries(columns)) {
      const column = describe(name, config, at)
      list.push(column)
      at += column.bytes
    }
    this.#table = table
    this.columns = list
    this.bytes = at
    this.#byName = new Map(list.map((column) => [column.name, column]))
  }

  /** @throws TableValueError */
  column(name: string): Column {
    const column = this.#byName.get(name)
    if (column !== undefined) return column
    throw new TableValueError(`Table "${this.#table}" has no column "${name}": it has ${this.columns.map((known) => known.name).join(', ')}`)
  }

  /** A whole row; what is not named is 0 or ''. @throws TableValueError */
  encode(row: Readonly<Record<string, unknown>>): Buffer {
    if (typeof row !== 'object' || row === null)
      throw new TableValueError(`Cannot write ${valueText(row)} to table "${this.#table}": expected an object with values by column`)
    const bytes = Buffer.alloc(this.bytes)
    for (const name of Object.keys(row)) {
      const value = row[name]
      if (value !== undefined) this.write(bytes, this.column(name), value)
    }
    return bytes
  }

  decode(bytes: Buffer): Row {
    const row: Row = {}
    for (const column of this.columns) {
      const value = this.read(bytes, column)
      // A column may have the name of something that objects inherit a setter for.
      if (column.name === '__proto__') Object.defineProperty(row, column.name, { value, enumerable: true, writable: true, configurable: true })
      else row[column.name] = value
    }
    return row
  }

  read(bytes: Buffer, { type, at, bytes: size }: Column): ColumnValue {
    if (type === 'float') return bytes.readDoubleLE(at)
    if (type === 'int') return size === 8 ? readSafeInt(bytes, at) : bytes.readIntLE(at, size)
    const from = at + STRING_LENGTH_BYTES
    return bytes.toString('utf8', from, from + bytes.readUInt16LE(at))
  }

  /** @throws TableValueError, and `bytes` is as before */
  write(bytes: Buffer, column: Column, value: unknown): void {
    if (column.type === 'string') {
      this.#writeString(bytes, column, value)
      return
    }
    if (typeof value !== 'number') throw this.#misfit(column, value, 'a number')
    if (column.type === 'float') {
      bytes.writeDoubleLE(value, column.at)
      return
    }
    if (!Number.isInteger(value) || value < column.min || value > column.max) {
      throw this.#misfit(column, value, `an integer from ${column.min} to ${column.max}`)
    }
    if (column.bytes === 8) writeSafeInt(bytes, value, column.at)
    else bytes.writeIntLE(value, column.at, column.bytes)
  }

  #writeString(bytes: Buffer, column: Column, value: unknown): void {
    if (typeof value !== 'string' || !value.isWellFormed()) throw this.#misfit(column, value, 'a well-formed string')
    const length = Buffer.byteLength(value)
    if (length > column.size) throw this.#unfit(column, `a string of ${length} bytes`, `at most ${column.size} bytes of UTF-8`)
    bytes.writeUInt16LE(length, column.at)
    bytes.write(value, column.at + STRING_LENGTH_BYTES)
  }

  #misfit(column: Column, value: unknown, expected: string): TableValueError {
    return this.#unfit(column, valueText(value), expected)
  }

  #unfit(column: Column, what: string, expected: string): TableValueError {
    return new TableValueError(`Cannot write ${what} to column "${column.name}" of table "${this.#table}": expected ${expected}`)
  }
}

function describe(name: string, config: ColumnConfig, at: number): Column {
  if (config.type === 'float') return { name, type: 'float', bytes: 8, at, min: 0, max: 0, size: 0 }
  if (config.type === 'string') return { name, type: 'string', bytes: STRING_LENGTH_BYTES + config.size, at, min: 0, max: 0, size: config.size }
  // Eight bytes could hold more than a JavaScript number counts exactly.
  const max = config.size === 8 ? Number.MAX_SAFE_INTEGER : 2 ** (8 * config.size - 1) - 1
  const min = config.size === 8 ? Number.MIN_SAFE_INTEGER : -(2 ** (8 * config.size - 1))
  return { name, type: 'int', bytes: config.size, at, min, max, size: 0 }
}

const HIGH = 0x1_0000_0000

// A safe integer as 64 bits, without a BigInt on the way.
function readSafeInt(bytes: Buffer, at: number): number {
  return bytes.readInt32LE(at + 4) * HIGH + bytes.readUInt32LE(at)
}

function writeSafeInt(bytes: Buffer, value: number, at: number): void {
  const high = Math.floor(value / HIGH)
  bytes.writeInt32LE(high, at + 4)
  bytes.writeUInt32LE(value - high * HIGH, at)
}
