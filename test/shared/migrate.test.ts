import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { ColumnConfig } from '../../src/config/schema.ts'
import type { Row, Table } from '../../src/contracts/table.ts'
import { createTables } from '../../src/shared/tables.ts'
import { emptyStore, temporaryFolder } from './shared-memory.ts'

const int = (size: 1 | 2 | 4 | 8 = 8): ColumnConfig => ({ type: 'int', size })
const string = (size: number): ColumnConfig => ({ type: 'string', size })

type Columns = Record<string, ColumnConfig>

/** Opens the table `t` of one data folder as a start of a daemon does, with memory that is new, and closes it again. */
function starts(t: TestContext): (columns: Columns, use: (table: Table) => void, options?: { size?: number; persist?: boolean }) => void {
  const dataDir = temporaryFolder(t)
  return (columns, use, { size = 1000, persist = true } = {}) => {
    const tables = createTables(emptyStore(t), { t: { size, columns, persist } }, { dataDir, isMaster: true })
    try {
      use(tables['t'] as Table)
    } finally {
      tables[Symbol.dispose]()
    }
  }
}

function rows(table: Table): [string, Row][] {
  return [...table.entries()]
}

describe('a persistent table', () => {
  test('has its rows again after a restart', (t) => {
    const start = starts(t)
    const columns: Columns = { n: int(), text: string(20), ratio: { type: 'float' } }
    const row = { n: 7, text: 'é€😀', ratio: Number.NaN }
    start(columns, (table) => table.set('a\0b', row))

    start(columns, (table) => {
      assert.deepEqual(rows(table), [['a\0b', row]])
      table.del('a\0b')
    })

    start(columns, (table) => assert.equal(table.count, 0))
  })

  test('in memory is empty after a restart', (t) => {
    const start = starts(t)
    start({ n: int() }, (table) => table.set('a', { n: 1 }), { persist: false })

    start({ n: int() }, (table) => assert.equal(table.count, 0), { persist: false })
  })

  test('that is smaller than its rows keeps them, and takes no new ones', (t) => {
    const start = starts(t)
    start({ n: int() }, (table) => {
      for (let n = 0; n < 5; n++) table.set(`row ${n}`, { n })
    })

    start(
      { n: int() },
      (table) => {
        assert.equal(table.count, 5)
        table.incr('row 0', 'n')
        assert.throws(() => table.set('new', {}), { code: 'POLYPORT_TABLE_FULL' })
      },
      { size: 3 },
    )
  })
})

describe('migrate()', () => {
  const before: Columns = { n: int(4), text: string(10) }
  const cases: readonly (readonly [string, Columns, Row])[] = [
    ['adds a column at the end', { ...before, added: int() }, { n: 1000, text: 'abc', added: 0 }],
    ['adds a column in front', { added: string(5), ...before }, { added: '', n: 1000, text: 'abc' }],
    ['removes a column', { text: string(10) }, { text: 'abc' }],
    ['replaces a column by another', { n: int(4), other: { type: 'float' } }, { n: 1000, other: 0 }],
    ['swaps columns', { text: string(10), n: int(4) }, { text: 'abc', n: 1000 }],
    ['widens columns', { n: int(8), text: string(1000) }, { n: 1000, text: 'abc' }],
    ['narrows columns when all values fit', { n: int(2), text: string(3) }, { n: 1000, text: 'abc' }],
    ['makes an int a float', { n: { type: 'float' }, text: string(10) }, { n: 1000, text: 'abc' }],
    [
      'takes a column of the name __proto__',
      { ...before, ...(JSON.parse('{"__proto__":{"type":"int","size":8}}') as Columns) },
      JSON.parse('{"n":1000,"text":"abc","__proto__":0}'),
    ],
  ]
  for (const [name, columns, expected] of cases) {
    test(name, (t) => {
      const start = starts(t)
      start(before, (table) => {
        for (let i = 0; i < 600; i++) table.set(`row ${i}`, { n: 1000, text: 'abc' })
      })

      start(columns, (table) => {
        assert.equal(table.count, 600)
        for (const [, row] of rows(table)) assert.deepEqual(Object.entries(row), Object.entries(expected))
      })
    })
  }

  test('comes back to the columns that there were', (t) => {
    const start = starts(t)
    start(before, (table) => table.set('row', { n: 5, text: 'abc' }))
    start({ n: int(1) }, (table) => table.incr('row', 'n'))

    start(before, (table) => assert.deepEqual(table.get('row'), { n: 6, text: '' }))
  })

  const narrow: readonly (readonly [string, Columns, RegExp])[] = [
    [
      'a number that the int is too small for',
      { n: int(1), text: string(10) },
      /Cannot write 1000 to column "n" of table "t": expected an integer from -128 to 127/,
    ],
    ['text that is too long', { n: int(4), text: string(2) }, /Cannot write a string of 3 bytes to column "text" of table "t": expected at most 2 bytes/],
    ['a string where there is a number', { n: string(10) }, /column "n" of table "t": expected a well-formed string/],
    ['a number where there is a string', { text: int() }, /column "text" of table "t": expected a number/],
  ]
  for (const [name, columns, message] of narrow) {
    test(`fails on ${name}, and changes nothing`, (t) => {
      const start = starts(t)
      const old = [
        ['a', { n: 1, text: 'x' }],
        ['b', { n: 1000, text: 'abc' }],
      ] as const
      start(before, (table) => {
        for (const [key, row] of old) table.set(key, row)
      })

      assert.throws(() => start(columns, () => assert.fail('it opened')), { code: 'POLYPORT_TABLE_VALUE', message })

      start(before, (table) => assert.deepEqual(rows(table), old))
    })
  }
})
