import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Table } from '../src/contracts/table.ts'
import { Store } from '../src/shared/store.ts'
import { createTables } from '../src/shared/tables.ts'

const ROWS = 10_000

/** Operations per second of one process on a table of a number and a string. */
export function benchTables(seconds: number): { name: string; perSecond: number }[] {
  const dir = mkdtempSync('/dev/shm/polyport-bench-')
  const store = Store.create({ dir: join(dir, 'store') })
  try {
    const columns = { n: { type: 'int', size: 8 }, text: { type: 'string', size: 32 } } as const
    const table = createTables(store, { t: { size: 100_000, columns, persist: false } }, { dataDir: dir })['t'] as Table
    const keys = Array.from({ length: ROWS }, (_, i) => `key:${i}`)
    const measure = (name: string, once: (key: string, i: number) => void): { name: string; perSecond: number } => {
      let count = 0
      const start = performance.now()
      while (performance.now() - start < seconds * 1000) {
        for (let i = 0; i < 1000; i++) once(keys[count++ % ROWS] ?? '', i)
      }
      return { name, perSecond: Math.round((count / (performance.now() - start)) * 1000) }
    }
    const set = measure('table set', (key, i) => table.set(key, { n: i, text: 'some text' }))
    return [measure('table get', (key) => table.get(key)), set, measure('table incr', (key) => table.incr(key, 'n'))]
  } finally {
    store.destroy()
    rmSync(dir, { recursive: true, force: true })
  }
}
