import assert from 'node:assert/strict'
import { readdirSync, readlinkSync } from 'node:fs'
import { test } from 'node:test'
import type { TableConfig } from '../../src/config/schema.ts'
import type { Table } from '../../src/contracts/table.ts'
import { createTables } from '../../src/shared/tables.ts'
import { becomes } from '../reliability/process-figures.ts'
import { emptyStore, temporaryFolder } from './shared-memory.ts'

function openFiles(dir: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return path.startsWith(dir) ? [path] : []
    } catch {
      // It was the one by which they are listed.
      return []
    }
  })
}

test('createTables() that throws leaves nothing open, and the tables that are there go on', {
  skip: process.platform !== 'linux' && 'needs /proc',
}, async (t) => {
  const dataDir = temporaryFolder(t)
  const store = emptyStore(t)
  const text: Record<string, TableConfig> = { t: { size: 10, persist: true, columns: { n: { type: 'string', size: 8 } } } }
  const number: Record<string, TableConfig> = { t: { size: 10, persist: true, columns: { n: { type: 'int', size: 8 } } } }
  const tables = createTables(store, text, { dataDir, isMaster: true })
  const table = tables['t'] as Table
  table.set('a', { n: 'word' })

  for (let i = 0; i < 3; i++) assert.throws(() => createTables(store, number, { dataDir, isMaster: true, instead: tables }), /word/)
  table.set('b', { n: 'more' })

  assert.deepEqual(
    [...table.entries()].map(([key, { n }]) => [key, n]),
    [
      ['a', 'word'],
      ['b', 'more'],
    ],
  )
  assert.notDeepEqual(openFiles(dataDir), [])
  tables[Symbol.dispose]()
  await becomes([], () => openFiles(dataDir))
})
