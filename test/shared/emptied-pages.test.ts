import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Rows, Store } from '../../src/shared/store.ts'
import { SharedMemory } from './shared-memory.ts'

function key(i: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(i)
  return bytes
}

function fill(rows: Rows, count: number, bytes: number): void {
  for (let i = 0; i < count; i++) rows.put(key(i), Buffer.alloc(bytes, 1))
}

function empty(rows: Rows, count: number): void {
  for (let i = 0; i < count; i++) rows.delete(key(i))
}

const CASES: Readonly<Record<string, (store: Store, rows: Rows, count: number, bytes: number) => void>> = {
  'one by one': (store, rows, count, bytes) => {
    store.transaction(() => fill(rows, count, bytes))
    empty(rows, count)
  },
  'in one transaction': (store, rows, count, bytes) => {
    store.transaction(() => fill(rows, count, bytes))
    store.transaction(() => empty(rows, count))
  },
  'in the transaction that put them': (store, rows, count, bytes) => {
    store.transaction(() => {
      fill(rows, count, bytes)
      empty(rows, count)
    })
  },
  'behind longer ones that took their place': (store, rows, count, bytes) => {
    store.transaction(() => fill(rows, count, bytes))
    store.transaction(() => {
      fill(rows, count, bytes * 2)
      empty(rows, count / 2)
    })
    empty(rows, count)
  },
  'of three trees at once': (store, rows, count, bytes) => {
    const trees = [rows, store.rows('second'), store.rows('third')]
    store.transaction(() => {
      for (const tree of trees) fill(tree, count, bytes)
    })
    store.transaction(() => {
      for (const tree of trees) empty(tree, count)
    })
  },
}

// LMDB aborts the process when pages that a transaction has emptied are left over, and no others are free to be used.
describe('rows are deleted while another process keeps an old view of the store', () => {
  for (const [name, change] of Object.entries(CASES)) {
    for (const [count, bytes] of [
      [1, 100],
      [200, 100],
      [5000, 100],
      [1000, 1500],
      [1000, 3000],
    ] as const) {
      test(`${name}: ${count} of ${bytes} bytes`, async (t) => {
        const memory = new SharedMemory(t)
        const rows = memory.store.rows('first')
        const other = await memory.start()
        other.begin('hold')
        await other.message('isHolding')
        for (let i = 0; i < 50; i++) memory.table('memory').incr('row', 'n')

        for (let round = 0; round < 3; round++) change(memory.store, rows, count, bytes)

        assert.equal(rows.count, 0)
        fill(rows, 10, bytes)
        assert.equal(rows.count, 10)
      })
    }
  }
})
