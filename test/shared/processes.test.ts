import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { counter } from '../../src/shared/counter.ts'
import { SharedMemory } from './shared-memory.ts'

const OPENER = fileURLToPath(new URL('../fixtures/shared/store-opener.ts', import.meta.url))

describe('several processes', () => {
  test('add up: 4 with 2,000 increments of a table and of a counter make 8,000', async (t) => {
    const memory = new SharedMemory(t)
    const processes = await memory.startAll(4)

    await Promise.all(processes.map((process) => process.run('increment', 'memory', 2000)))
    await Promise.all(processes.map((process) => process.run('count', 2000)))

    assert.equal(memory.table('memory').get('row', 'n'), 8000)
    assert.equal(counter(memory.store, 'count').value, 8000)
  })

  // LMDB alone loses one in some hundred opens.
  test('lose nothing that one writes while others open the store', async (t) => {
    const memory = new SharedMemory(t)
    const total = counter(memory.store, 'total')
    const opener = fork(OPENER, [memory.store.dir, '1500'])
    t.after(() => opener.kill('SIGKILL'))
    const ended = new Promise((resolve) => opener.once('exit', resolve))
    let added = 0

    let isOpening = true
    void ended.then(() => (isOpening = false))
    while (isOpening) {
      for (let i = 0; i < 100; i++) added = Math.max(added + 1, total.add(1))
      await new Promise(setImmediate)
    }

    assert.equal(await ended, 0)
    assert.equal(total.value, added)
    assert.ok(added > 10_000, `${added} written`)
  })

  test('add up in a persistent table', async (t) => {
    const memory = new SharedMemory(t)
    const processes = await memory.startAll(4)

    // Each of these waits for the disk.
    await Promise.all(processes.map((process) => process.run('increment', 'durable', 50)))

    assert.equal(memory.table('durable').get('row', 'n'), 200)
  })

  test('never get the same fd', async (t) => {
    const memory = new SharedMemory(t)
    const processes = await memory.startAll(3)

    const fds = (await Promise.all(processes.map((process) => process.run('fds', 3500)))) as number[][]

    assert.equal(new Set(fds.flat()).size, 3 * 3500)
    assert.ok(fds.flat().every(Number.isSafeInteger))
  })

  test('see all of a transaction or nothing of it, also where one table is in memory and one on disk', async (t) => {
    const memory = new SharedMemory(t)
    const other = await memory.start()
    const set = (n: number): void =>
      memory.tables.transaction(() => {
        memory.table('memory').set('row', { n })
        memory.table('durable').set('row', { n })
      })
    set(0)

    const watching = other.run('watch', 'row', 500)
    let isDone = false
    void watching.then(() => (isDone = true))
    for (let n = 1; !isDone; n++) {
      set(n)
      if (n % 10 === 0) await new Promise(setImmediate)
    }

    const seen = (await watching) as [number, number][]
    assert.ok(seen.length > 1, 'the other process saw one state only')
    for (const [inMemory, onDisk] of seen) assert.equal(inMemory, onDisk)
  })

  test('see what was written before they were told, though they had read just before', async (t) => {
    const memory = new SharedMemory(t)
    const other = await memory.start()
    const table = memory.table('memory')
    let isReading = true
    // Reads in every turn, in its ticks and microtasks too.
    const readOn = (): void => {
      if (!isReading) return
      table.get('told', 'n')
      void Promise.resolve().then(() => table.get('told', 'n'))
      process.nextTick(() => table.get('told', 'n'))
      setImmediate(readOn)
    }
    readOn()

    try {
      for (let n = 1; n <= 500; n++) {
        await other.run('set', 'memory', 'told', n)
        assert.equal(table.get('told', 'n'), n)
      }
    } finally {
      isReading = false
    }
  })
})
