import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { TableConfig } from '../../src/config/schema.ts'
import type { Row, Table, Tables } from '../../src/contracts/table.ts'
import { TableFullError, TableValueError } from '../../src/errors.ts'
import { createTables } from '../../src/shared/tables.ts'
import { emptyStore, temporaryFolder } from './shared-memory.ts'

const SIZE = 6
const COLUMNS: TableConfig['columns'] = { small: { type: 'int', size: 1 }, ratio: { type: 'float' }, text: { type: 'string', size: 8 } }
type Column = 'small' | 'ratio' | 'text'

/** What a table does, with a Map. */
class Model {
  rows: Map<string, Row> = new Map()

  set(key: string, row: Row): void {
    if (!this.rows.has(key) && this.rows.size >= SIZE) throw new TableFullError('t', SIZE)
    this.rows.set(key, { small: 0, ratio: 0, text: '', ...row })
  }

  incr(key: string, column: Column, by: number): number {
    const row = this.rows.get(key) ?? { small: 0, ratio: 0, text: '' }
    const sum = Number(row[column]) + by
    if (column === 'text' || (column === 'small' && (!Number.isInteger(sum) || sum < -128 || sum > 127))) throw new TableValueError('t')
    this.set(key, { ...row, [column]: sum })
    return sum
  }

  entries(prefix: string): [string, Row][] {
    const within = [...this.rows].filter(([key]) => key.startsWith(prefix))
    return within.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  }
}

interface Step {
  /** Does it to the table, and to the model. */
  readonly table: (table: Table) => unknown
  readonly model: (model: Model) => unknown
}

// Few keys, so that the same one is met again; their order in UTF-8 is not that of their UTF-16 units.
const key = fc.constantFrom('a', 'ab', 'abc', 'b', '\0', '\0a', '😀', '\uffff', '__proto__', 'x'.repeat(511))
const column = fc.constantFrom<Column>('small', 'ratio', 'text')
const values: Readonly<Record<Column, fc.Arbitrary<number | string>>> = {
  small: fc.integer({ min: -128, max: 127 }),
  ratio: fc.double(),
  text: fc.string({ unit: 'grapheme', maxLength: 8 }).filter((text) => Buffer.byteLength(text) <= 8),
}
const row = fc.record(values, { requiredKeys: [] }) as fc.Arbitrary<Row>
const by = fc.oneof(fc.integer({ min: -200, max: 200 }), fc.constant(0.5))

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(key, row).map(([key, row]): Step => ({ table: (t) => t.set(key, row), model: (m) => m.set(key, row) })) },
  fc.tuple(key, column, by).map(([key, column, by]): Step => ({ table: (t) => t.incr(key, column, by), model: (m) => m.incr(key, column, by) })),
  fc.tuple(key, column, by).map(([key, column, by]): Step => ({ table: (t) => t.decr(key, column, by), model: (m) => m.incr(key, column, -by) })),
  fc.tuple(key, column).map(([key, column]): Step => ({ table: (t) => t.get(key, column), model: (m) => m.rows.get(key)?.[column] })),
  key.map((key): Step => ({ table: (t) => t.get(key), model: (m) => m.rows.get(key) })),
  key.map((key): Step => ({ table: (t) => t.has(key), model: (m) => m.rows.has(key) })),
  key.map((key): Step => ({ table: (t) => t.del(key), model: (m) => m.rows.delete(key) })),
  fc.constantFrom('', 'a', 'ab', '\0', 'zz').map((prefix): Step => ({ table: (t) => [...t.entries({ prefix })], model: (m) => m.entries(prefix) })),
  fc.constant<Step>({ table: (t) => t.clear(), model: (m) => m.rows.clear() }),
)

/** Steps that are done as one transaction, which fails in the end or not. */
interface Work {
  readonly steps: readonly Step[]
  readonly transaction: 'none' | 'done' | 'failed'
}
const work: fc.Arbitrary<Work> = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 6 }),
  transaction: fc.constantFrom('none', 'none', 'done', 'failed'),
})

function outcome(call: () => unknown): unknown {
  try {
    return { returned: call() }
  } catch (error) {
    if (error instanceof TableFullError || error instanceof TableValueError) return { threw: error.code }
    throw error
  }
}

class Rollback extends Error {}

/** What each step gives, with a table and with a Map. */
function inTable(tables: Tables, table: Table, { steps, transaction }: Work): unknown[] {
  const outcomes: unknown[] = []
  const run = (): void => {
    for (const step of steps)
      outcomes.push(
        outcome(() => step.table(table)),
        table.count,
      )
    if (transaction === 'failed') throw new Rollback()
  }
  if (transaction === 'none') run()
  else if (transaction === 'done') tables.transaction(run)
  else assert.throws(() => tables.transaction(run), Rollback)
  return outcomes
}

function inModel(model: Model, { steps, transaction }: Work): unknown[] {
  const before = new Map(model.rows)
  const outcomes: unknown[] = []
  for (const step of steps)
    outcomes.push(
      outcome(() => step.model(model)),
      model.rows.size,
    )
  if (transaction === 'failed') model.rows = before
  return outcomes
}

describe('SharedTable', () => {
  for (const [kind, persist, numRuns] of [
    ['in memory', false, 300],
    ['on disk', true, 15],
  ] as const) {
    test(`does ${kind} whatever a Map does`, (t) => {
      const tables = createTables(emptyStore(t), { t: { size: SIZE, columns: COLUMNS, persist } }, { dataDir: temporaryFolder(t), isMaster: true })
      t.after(() => tables[Symbol.dispose]())
      const table = tables['t'] as Table
      fc.assert(
        fc.property(fc.array(work, { maxLength: 12 }), (works) => {
          const model = new Model()
          table.clear()
          for (const work of works) {
            assert.deepEqual(inTable(tables, table, work), inModel(model, work))
            assert.deepEqual([...table.entries()], model.entries(''))
          }
        }),
        { numRuns },
      )
    })
  }
})
