import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Row } from '../../src/contracts/table.ts'
import { Store } from '../../src/shared/store.ts'
import { createTables, type OpenTables } from '../../src/shared/tables.ts'
import { TABLES } from '../fixtures/shared/tables.ts'
import { emptyStore, SharedMemory, type StoreProcess, temporaryFolder } from './shared-memory.ts'

// A long run: POLYPORT_KILLS=1000 node --test test/shared/kill.test.ts
const KILLS = Number(process.env['POLYPORT_KILLS'] ?? 100)

async function startWriting(memory: SharedMemory, seed: number): Promise<StoreProcess> {
  const writer = await memory.start()
  writer.begin('writeChecked', seed)
  await writer.message('isWriting')
  return writer
}

/** Fails unless each row is one that a writer has set. Returns how many there are. */
function verify(memory: SharedMemory): number {
  let rows = 0
  for (const [key, { left, right, text, sum }] of memory.table('checked').entries()) {
    rows++
    const isWhole = sum === Number(left) + Number(right) && typeof text === 'string' && text.length > 0 && text.replaceAll(`${left} `, '') === ''
    assert.ok(isWhole, `${key}: ${left} + ${right} = ${sum}, "${text}"`)
  }
  const [a, b] = memory.tables.transaction(() => ['pair a', 'pair b'].map((key): Row | undefined => memory.table('checked').get(key)))
  assert.deepEqual(a, b)
  return rows
}

describe('a process that is killed', () => {
  test(`leaves whole rows and a free lock: ${KILLS} kills at random times`, { timeout: KILLS * 3000 }, async (t) => {
    const memory = new SharedMemory(t)
    const writers = await Promise.all([1, 2].map((seed) => startWriting(memory, seed)))
    let [isWatching, rowsSeen] = [true, 0]
    const watching = (async (): Promise<void> => {
      while (isWatching) {
        rowsSeen += verify(memory)
        await delay(1)
      }
    })()

    let slowestMs = 0
    try {
      for (let kill = 1; kill <= KILLS; kill++) {
        await delay(Math.random() * 20)
        await writers.shift()?.kill()
        const start = performance.now()
        memory.table('memory').incr('kills', 'n')
        slowestMs = Math.max(slowestMs, performance.now() - start)
        // As the master does for a worker that has died.
        Store.checkReaders()
        verify(memory)
        writers.push(await startWriting(memory, kill * 1000))
      }
    } finally {
      isWatching = false
      await watching
    }

    assert.ok(slowestMs < 1000, `the lock was free after ${slowestMs} ms`)
    assert.equal(memory.table('memory').get('kills', 'n'), KILLS)
    assert.ok(rowsSeen > KILLS, `${rowsSeen} rows seen`)
    t.diagnostic(`${rowsSeen} rows seen; the slowest write after a kill took ${slowestMs.toFixed(1)} ms`)
  })

  test('has kept on disk what it had written', async (t) => {
    const memory = new SharedMemory(t)
    for (let round = 0; round < 10; round++) {
      const writer = await memory.start()
      let written = -1
      writer.child.on('message', (message: { written?: number }) => (written = message.written ?? written))
      memory.table('durable').clear()
      writer.begin('writeDurable')
      await writer.message('written')
      await delay(Math.random() * 100)
      await writer.kill()

      memory.reopenTables()

      const rows = [...memory.table('durable').entries()].map(([, { n }]) => Number(n)).sort((a, b) => a - b)
      assert.ok(rows.length > written, `${rows.length} rows, ${written} was told`)
      assert.deepEqual(
        rows,
        rows.map((_, i) => i),
      )
    }
  })

  for (const table of ['memory', 'durable']) {
    test(`while it reads what is in the table "${table}", does not make the store grow`, async (t) => {
      const memory = new SharedMemory(t)
      const file = join(table === 'memory' ? memory.store.dir : join(memory.dataDir, 'tables'), 'store', 'data.mdb')
      memory.table(table).set('row', { n: 0 })
      const reader = await memory.start()
      reader.begin('hold', table)
      await reader.message('isHolding')
      await reader.kill()
      Store.checkReaders()
      for (let n = 0; n < 50; n++) memory.table(table).set('row', { n })
      const before = pagesOf(file)

      for (let n = 0; n < 200; n++) memory.table(table).set('row', { n })

      assert.ok(pagesOf(file) - before < 10, `${pagesOf(file) - before} pages more`)
    })
  }
})

test('tables on disk are opened for each reload, however many there are', (t) => {
  const [store, dataDir] = [emptyStore(t), temporaryFolder(t)]
  const open = (instead?: OpenTables): OpenTables => createTables(store, TABLES, { dataDir, isMaster: true, instead })
  let tables = open()
  for (let reload = 1; reload <= 150; reload++) {
    tables = open(tables)
    assert.equal(tables['durable']?.incr('row', 'n'), reload)
    assert.equal(tables['durable']?.get('row', 'n'), reload)
  }
  tables[Symbol.dispose]()
})

/** Pages that a file has ever used: what is over them is a hole. */
function pagesOf(file: string): number {
  return (statSync(file).blocks * 512) / 4096
}
