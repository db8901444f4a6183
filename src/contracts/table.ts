/** One value of a row. `int` and `float` columns hold numbers, `string` columns strings. */
export type ColumnValue = number | string
/** A row by column name. Columns that `set` does not name become 0 or ''. */
export type Row = Record<string, ColumnValue>

/** A table of fixed columns in memory that every process of the daemon shares. `R` may be an interface of yours. */
export interface Table<R extends { [C in keyof R]: ColumnValue } = Row> {
  readonly name: string
  /** The number of rows that fit. */
  readonly size: number
  /** The number of rows. */
  readonly count: number
  /**
   * Writes the whole row: a column that is not named becomes 0 or ''.
   * @throws TableValueError when key, column or value do not fit; TableFullError when a new row has no room
   */
  set(key: string, row: Partial<R>): void
  /** The row, or undefined. */
  get(key: string): R | undefined
  /** One column of the row, or undefined. */
  get<C extends keyof R & string>(key: string, column: C): R[C] | undefined
  /** @returns whether there was a row */
  del(key: string): boolean
  has(key: string): boolean
  /**
   * Adds `by` to a number; a row that is not there starts at 0.
   * @returns the new value
   * @throws TableValueError when the result is out of the column's range
   */
  incr(key: string, column: keyof R & string, by?: number): number
  decr(key: string, column: keyof R & string, by?: number): number
  clear(): void
  /** Rows in key order. A row that is set or deleted meanwhile may or may not be seen; every other row is, once. */
  entries(options?: { prefix?: string }): Iterable<[string, R]>
}

/** The tables of the config, by name: `daemon.tables['ws']`. */
export type Tables = TableTransactions & { readonly [name: string]: Table }

export interface TableTransactions {
  /**
   * All that `fn` does to any table happens, or nothing does (when it throws), and no other process sees a part of it.
   * `fn` must not await.
   */
  transaction<T>(fn: () => T): T
}

/** An atomic 64-bit integer that every process of the daemon shares. */
export interface Counter {
  /**
   * Adds a safe integer.
   * @returns the new value
   */
  add(n: number): number
  readonly value: number
}
