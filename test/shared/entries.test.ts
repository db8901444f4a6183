import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { Table } from '../../src/contracts/table.ts'
import { createTables } from '../../src/shared/tables.ts'
import { emptyStore, SharedMemory } from './shared-memory.ts'

function table(t: TestContext): Table {
  const config = { size: 10_000, columns: { n: { type: 'int', size: 8 } }, persist: false } as const
  return createTables(emptyStore(t), { t: config }, { dataDir: '' })['t'] as Table
}

function keys(table: Table, prefix?: string): string[] {
  return Array.from(table.entries(prefix === undefined ? {} : { prefix }), ([key]) => key)
}

describe('entries()', () => {
  test('gives rows in the order of their keys in UTF-8', (t) => {
    const rows = table(t)
    for (const key of ['b', '\uffff', 'a', '😀', 'aa']) rows.set(key, {})

    assert.deepEqual(keys(rows), ['a', 'aa', 'b', '\uffff', '😀'])
  })

  test('gives all of more rows than one step reads', (t) => {
    const rows = table(t)
    const all = Array.from({ length: 1000 }, (_, i) => `row ${String(i).padStart(4, '0')}`)
    for (const key of all) rows.set(key, {})

    assert.deepEqual(keys(rows), all)
    assert.deepEqual(keys(rows, 'row 09'), all.slice(900))
  })

  test('gives nothing for a prefix that no key has, however long it is', (t) => {
    const rows = table(t)
    rows.set('k'.repeat(511), {})

    for (const prefix of ['x', 'kx', '\u{10ffff}', 'k'.repeat(512), 'k'.repeat(5000), 'k'.repeat(100_000)]) assert.deepEqual(keys(rows, prefix), [])
    assert.equal(keys(rows, 'k'.repeat(511)).length, 1)
  })

  test('takes half a surrogate pair as a prefix that no key has', (t) => {
    const rows = table(t)
    rows.set('\ufffd', {})

    assert.deepEqual(keys(rows, '\ud800'), [])
  })

  test('gives each row that is not touched once, and none twice, while rows come and go', (t) => {
    const rows = table(t)
    const change = fc.record({ at: fc.nat(700), key: fc.nat(700), how: fc.constantFrom('set', 'del') })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        rows.clear()
        const name = (i: number): string => String(i).padStart(3, '0')
        for (let i = 0; i < 700; i += 2) rows.set(name(i), { n: i })
        const touched = new Set(changes.map(({ key }) => name(key)))
        const seen: string[] = []

        for (const [key] of rows.entries()) {
          seen.push(key)
          for (const { at, key: other, how } of changes) {
            if (at !== seen.length) continue
            if (how === 'set') rows.set(name(other), {})
            else rows.del(name(other))
          }
        }

        assert.deepEqual(seen, [...new Set(seen)].sort())
        const untouched = Array.from({ length: 350 }, (_, i) => name(2 * i)).filter((key) => !touched.has(key))
        assert.deepEqual(
          seen.filter((key) => !touched.has(key)),
          untouched,
        )
      }),
      { numRuns: 60 },
    )
  })

  test('can delete each row that it gives', (t) => {
    const rows = table(t)
    for (let i = 0; i < 600; i++) rows.set(`row ${i}`, {})

    for (const [key] of rows.entries()) rows.del(key)

    assert.equal(rows.count, 0)
  })

  test('gives each row that is not touched once while another process sets and deletes', async (t) => {
    const memory = new SharedMemory(t)
    const rows = memory.table('memory')
    for (let i = 0; i < 1000; i++) rows.set(`kept ${i}`, { n: i })
    const other = await memory.start()
    const changing = other.run('change', 'memory', 30_000)
    let isDone = false
    void changing.finally(() => (isDone = true))

    let [rounds, others] = [0, 0]
    for (; !isDone || rounds === 0; rounds++) {
      const seen = keys(rows)
      const kept = seen.filter((key) => key.startsWith('kept') && !key.endsWith('+'))
      others += seen.length - kept.length
      assert.equal(kept.length, 1000)
      assert.equal(new Set(seen).size, seen.length)
      await new Promise(setImmediate)
    }

    await changing
    assert.ok(others > 0, `no row of the other process was seen in ${rounds} rounds`)
  })
})
