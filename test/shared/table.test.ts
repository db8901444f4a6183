import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { ColumnConfig } from '../../src/config/schema.ts'
import type { Row, Table } from '../../src/contracts/table.ts'
import { TableFullError, TableValueError } from '../../src/errors.ts'
import { createTables } from '../../src/shared/tables.ts'
import { emptyStore } from './shared-memory.ts'

const int = (size: 1 | 2 | 4 | 8): ColumnConfig => ({ type: 'int', size })
const COLUMNS: Readonly<Record<string, ColumnConfig>> = {
  i1: int(1),
  i2: int(2),
  i4: int(4),
  i8: int(8),
  float: { type: 'float' },
  text: { type: 'string', size: 8 },
  // Names of what objects inherit.
  ...JSON.parse('{"__proto__":{"type":"int","size":8},"toString":{"type":"int","size":8}}'),
}
const EMPTY: Row = { i1: 0, i2: 0, i4: 0, i8: 0, float: 0, text: '', ...JSON.parse('{"__proto__":0,"toString":0}') }

function table(t: TestContext, options: { size?: number; columns?: Record<string, ColumnConfig> } = {}): Table {
  const config = { size: options.size ?? 100, columns: options.columns ?? { ...COLUMNS }, persist: false }
  return createTables(emptyStore(t), { odd: config }, { dataDir: '' })['odd'] as Table
}

/** Own properties only, `__proto__` too. */
function same(actual: Row | undefined, expected: Row): void {
  assert.deepEqual(Object.entries(actual ?? {}), Object.entries(expected))
}

const KEYS: readonly (readonly [string, string])[] = [
  ['of 1 byte', 'k'],
  ['of the longest length', 'k'.repeat(511)],
  ['of the longest length in UTF-8', '€'.repeat(170)],
  ['NUL', '\0'],
  ['with NUL in it', 'a\0b'],
  ['of 511 NULs', '\0'.repeat(511)],
  ['__proto__', '__proto__'],
  ['constructor', 'constructor'],
  ['the replacement character', '\ufffd'],
  ['an emoji', '👩‍👩‍👧'],
  ['not normalised', 'e\u0301'],
  ['the last code point', '\u{10ffff}'],
  ['white space', ' \t\r\n'],
]
const BAD_KEYS: readonly (readonly [string, unknown])[] = [
  ['empty', ''],
  ['longer than the longest', 'k'.repeat(512)],
  ['longer than the longest in UTF-8', '€'.repeat(171)],
  ['half of a surrogate pair', '\ud800'],
  ['the other half', 'a\udc00b'],
  ['undefined', undefined],
  ['null', null],
  ['a number', 7],
  ['an object', {}],
  ['a symbol', Symbol('key')],
  ['a bigint', 7n],
]

const VALUES: readonly (readonly [string, number | string])[] = [
  ...([1, 2, 4] as const).flatMap((bytes) => [[`i${bytes}`, 2 ** (8 * bytes - 1) - 1] as const, [`i${bytes}`, -(2 ** (8 * bytes - 1))] as const]),
  ['i8', Number.MAX_SAFE_INTEGER],
  ['i8', Number.MIN_SAFE_INTEGER],
  ['float', 1.5],
  ['float', -0],
  ['float', Number.NaN],
  ['float', Number.POSITIVE_INFINITY],
  ['float', Number.NEGATIVE_INFINITY],
  ['float', Number.MIN_VALUE],
  ['float', Number.MAX_VALUE],
  ['text', ''],
  ['text', '12345678'],
  ['text', '\0\0\0'],
  ['text', 'éé😀'],
  ['__proto__', 5],
  ['toString', 6],
]
const BAD_VALUES: readonly (readonly [string, unknown])[] = [
  ...([1, 2, 4] as const).flatMap((bytes) => [[`i${bytes}`, 2 ** (8 * bytes - 1)] as const, [`i${bytes}`, -(2 ** (8 * bytes - 1)) - 1] as const]),
  ['i8', 2 ** 53],
  ['i8', -(2 ** 53)],
  ...['i1', 'i8'].flatMap((column) =>
    [Number.NaN, Number.POSITIVE_INFINITY, 1.5, '1', 1n, null, true, [1], {}, Symbol('x')].map((value) => [column, value] as const),
  ),
  ['float', '1'],
  ['float', null],
  ['float', 1n],
  ['float', Object.create(null)],
  ['text', '123456789'],
  ['text', 'ééééé'],
  ['text', '\ud800'],
  ['text', 5],
  ['text', null],
  ['text', Buffer.from('a')],
  ['missing', 1],
  ['constructor', 1],
  ['', 1],
]

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : typeof value === 'object' && value !== null ? Object.prototype.toString.call(value) : String(value)
}

describe('SharedTable', () => {
  for (const [name, key] of KEYS) {
    test(`takes a key that is ${name}`, (t) => {
      const odd = table(t)

      odd.set(key, { i8: 1 })

      assert.equal(odd.has(key), true)
      assert.equal(odd.get(key, 'i8'), 1)
      assert.equal(odd.incr(key, 'i8'), 2)
      assert.deepEqual(
        [...odd.entries()].map(([key]) => key),
        [key],
      )
      assert.deepEqual(
        [...odd.entries({ prefix: key })].map(([key]) => key),
        [key],
      )
      assert.equal(odd.del(key), true)
      assert.equal(odd.count, 0)
    })
  }

  for (const [name, key] of BAD_KEYS) {
    test(`refuses a key that is ${name}, in every method`, (t) => {
      const odd = table(t)
      const bad = key as string

      for (const call of [
        () => odd.set(bad, {}),
        () => odd.get(bad),
        () => odd.get(bad, 'i8'),
        () => odd.has(bad),
        () => odd.del(bad),
        () => odd.incr(bad, 'i8'),
      ]) {
        assert.throws(call, {
          name: 'TableValueError',
          code: 'POLYPORT_TABLE_VALUE',
          message: /as a key of table "odd": expected a well-formed string of 1 to 511 bytes/,
        })
      }
      assert.equal(odd.count, 0)
    })
  }

  for (const [column, value] of VALUES) {
    test(`stores ${shown(value)} in ${column} as it is`, (t) => {
      const odd = table(t)

      odd.set('row', Object.fromEntries([[column, value]]))

      assert.equal(odd.get('row', column), value)
      same(odd.get('row'), { ...EMPTY, ...Object.fromEntries([[column, value]]) })
    })
  }

  for (const [column, value] of BAD_VALUES) {
    test(`refuses ${shown(value)} in ${column || 'a column without a name'}, naming it, and keeps the row`, (t) => {
      const odd = table(t)
      odd.set('row', { i8: 7, text: 'kept' })

      assert.throws(
        () => odd.set('row', Object.fromEntries([['text', 'lost'] as const, [column, value as number] as const])),
        (error) => error instanceof TableValueError && error.message.includes(`"${column}"`) && error.message.includes('"odd"') && error.message.length < 300,
      )

      same(odd.get('row'), { ...EMPTY, i8: 7, text: 'kept' })
    })
  }

  test('says a huge value in few words', (t) => {
    const odd = table(t)

    for (const column of ['i8', 'text'])
      assert.throws(
        () => odd.set('row', { [column]: 'x'.repeat(1_000_000) }),
        (error) => error instanceof TableValueError && error.message.length < 300,
      )
  })

  test('refuses what is no row', (t) => {
    const odd = table(t)

    for (const row of [undefined, null, 'x', 5]) {
      assert.throws(
        () => odd.set('row', row as unknown as Row),
        (error) => error instanceof TableValueError && /^Cannot write .* to table "odd": expected an object/.test(error.message),
      )
    }
    assert.equal(odd.has('row'), false)
  })

  test('takes undefined for a column that is not named', (t) => {
    const odd = table(t)

    odd.set('row', { i8: undefined } as unknown as Row)

    same(odd.get('row'), EMPTY)
  })

  test('set() writes the whole row: what is not named becomes 0 or empty', (t) => {
    const odd = table(t)
    odd.set('row', { i8: 1, float: 2, text: 'abc' })

    odd.set('row', { i4: 5 })

    same(odd.get('row'), { ...EMPTY, i4: 5 })
  })

  test('get() of a column that is not there throws, also without the row', (t) => {
    assert.throws(() => table(t).get('row', 'missing'), { message: /Table "odd" has no column "missing": it has i1, i2/ })
  })

  test('get() and del() of a row that is not there give undefined and false', (t) => {
    const odd = table(t)

    assert.equal(odd.get('row'), undefined)
    assert.equal(odd.get('row', 'i8'), undefined)
    assert.equal(odd.del('row'), false)
  })

  test('a row that was read is its own', (t) => {
    const odd = table(t)
    odd.set('row', { i8: 1, text: 'abc' })
    const read = odd.get('row') as Row

    odd.set('row', { i8: 2, text: 'xyz' })
    read['float'] = 9

    same(read, { ...EMPTY, i8: 1, text: 'abc', float: 9 })
    assert.equal(odd.get('row', 'float'), 0)
  })

  describe('incr() and decr()', () => {
    test('begin at 0 and step by 1', (t) => {
      const odd = table(t)

      assert.equal(odd.incr('row', 'i8'), 1)
      assert.equal(odd.incr('row', 'i8', 41), 42)
      assert.equal(odd.decr('row', 'i8'), 41)
      assert.equal(odd.decr('other', 'float', 0.5), -0.5)
      assert.equal(odd.incr('row', '__proto__', 3), 3)
    })

    test('leave the value as it was when the result is out of range', (t) => {
      const odd = table(t)
      const limits = { i1: [-128, 127], i2: [-32768, 32767], i4: [-(2 ** 31), 2 ** 31 - 1], i8: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] }
      for (const [column, [min = 0, max = 0]] of Object.entries(limits)) {
        odd.set('max', { [column]: max })
        odd.set('min', { [column]: min })

        for (const by of [1, 2, 3]) assert.throws(() => odd.incr('max', column, by), { code: 'POLYPORT_TABLE_VALUE', message: new RegExp(`"${column}"`) })
        assert.throws(() => odd.decr('min', column), TableValueError)

        assert.equal(odd.get('max', column), max)
        assert.equal(odd.get('min', column), min)
      }
    })

    test('refuse what is no number to add, and columns without numbers', (t) => {
      const odd = table(t)

      for (const by of [Number.NaN, '5', null, 5n, {}]) {
        assert.throws(() => odd.incr('row', 'i8', by as number), TableValueError)
        assert.throws(() => odd.decr('row', 'i8', by as number), TableValueError)
      }
      assert.throws(() => odd.incr('row', 'i8', 1.5), TableValueError)
      assert.throws(() => odd.incr('row', 'text'), { message: /column "text" of table "odd": it is a string/ })
      assert.throws(() => odd.incr('row', 'missing'), TableValueError)
      assert.equal(odd.count, 0)
    })
  })

  describe('when it is full', () => {
    test('refuses new rows by set() and incr(), and serves those that it has', (t) => {
      const odd = table(t, { size: 10 })
      for (let i = 0; i < 10; i++) odd.set(`row ${i}`, { i8: i })

      assert.throws(() => odd.set('one more', {}), {
        name: 'TableFullError',
        code: 'POLYPORT_TABLE_FULL',
        message: 'Cannot add a row to table "odd" as it holds 10 rows: raise tables.odd.size or delete rows',
      })
      assert.throws(() => odd.incr('one more', 'i8'), TableFullError)

      assert.equal(odd.count, 10)
      for (let i = 0; i < 10; i++) assert.equal(odd.incr(`row ${i}`, 'i8'), i + 1)
      odd.set('row 0', { text: 'changed' })
    })

    test('takes a new row for each that is deleted', (t) => {
      const odd = table(t, { size: 2 })
      odd.set('a', {})
      odd.set('b', {})

      odd.del('a')
      odd.set('c', {})

      assert.throws(() => odd.set('d', {}), TableFullError)
      odd.clear()
      odd.set('d', {})
      assert.equal(odd.count, 1)
    })
  })
})
