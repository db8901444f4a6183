import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { counter } from '../../src/shared/counter.ts'
import { Registry } from '../../src/shared/registry.ts'
import { SharedMemory } from './shared-memory.ts'

describe('transaction()', () => {
  test('returns what fn returns, and keeps what it did', (t) => {
    const memory = new SharedMemory(t)

    const sum = memory.tables.transaction(() => memory.table('memory').incr('a', 'n', 2) + memory.table('durable').incr('b', 'n', 3))

    assert.equal(sum, 5)
    assert.equal(memory.table('memory').get('a', 'n'), 2)
    assert.equal(memory.table('durable').get('b', 'n'), 3)
  })

  test('undoes all that fn did when it throws: in memory, on disk and in counters', (t) => {
    const memory = new SharedMemory(t)
    const [inMemory, onDisk, count] = [memory.table('memory'), memory.table('durable'), counter(memory.store, 'count')]
    for (const table of [inMemory, onDisk]) table.set('kept', { n: 1 })
    count.add(1)
    const wrong = new Error('wrong')

    assert.throws(
      () =>
        memory.tables.transaction(() => {
          for (const table of [inMemory, onDisk]) {
            table.set('new', { n: 2 })
            table.incr('kept', 'n')
            table.del('kept')
            table.clear()
            table.set('other', { n: 3 })
          }
          count.add(5)
          throw wrong
        }),
      wrong,
    )

    for (const table of [inMemory, onDisk]) assert.deepEqual([...table.entries()].length, 1)
    for (const table of [inMemory, onDisk]) assert.equal(table.get('kept', 'n'), 1)
    assert.equal(count.value, 1)
  })

  test('lets fn see what it has done', (t) => {
    const memory = new SharedMemory(t)
    const table = memory.table('memory')
    table.set('a', { n: 1 })

    memory.tables.transaction(() => {
      table.set('b', { n: 2 })
      assert.equal(table.get('b', 'n'), 2)
      assert.equal(table.count, 2)
      table.del('a')
      assert.equal(table.has('a'), false)
      assert.deepEqual(
        [...table.entries()].map(([key]) => key),
        ['b'],
      )
      table.clear()
      assert.equal(table.count, 0)
    })
  })

  test('goes on after an error that fn has caught, without what had failed', (t) => {
    const memory = new SharedMemory(t)
    const table = memory.table('memory')

    memory.tables.transaction(() => {
      table.set('a', { n: 1 })
      assert.throws(() => table.set('b', { n: 1.5 }), { code: 'POLYPORT_TABLE_VALUE' })
      assert.throws(() => table.incr('c', 'text'), { code: 'POLYPORT_TABLE_VALUE' })
      table.set('d', { n: 2 })
    })

    assert.deepEqual(
      [...table.entries()].map(([key]) => key),
      ['a', 'd'],
    )
  })

  test('within another is a part of it', (t) => {
    const memory = new SharedMemory(t)
    const table = memory.table('memory')

    assert.throws(() =>
      memory.tables.transaction(() => {
        memory.tables.transaction(() => table.set('a', { n: 1 }))
        throw new Error('outer')
      }),
    )

    assert.equal(table.count, 0)
    table.set('b', {})
    assert.equal(table.count, 1)
  })

  test('refuses an fn that is async, undoes what it did until then, and leaves no lock', async (t) => {
    const memory = new SharedMemory(t)
    const table = memory.table('memory')
    const other = await memory.start()
    const fn = async (): Promise<void> => {
      table.set('a', { n: 1 })
      await new Promise(setImmediate)
    }

    assert.throws(() => memory.tables.transaction(fn), { name: 'TypeError', message: /must not be async/ })

    assert.equal(table.has('a'), false)
    await other.run('set', 'memory', 'b', 1)
    table.set('c', {})
    assert.equal(table.count, 2)
  })

  test('waits for that of another process', async (t) => {
    const memory = new SharedMemory(t)
    const table = memory.table('memory')
    const other = await memory.start()

    let waiting: Promise<unknown> = Promise.resolve()
    memory.tables.transaction(() => {
      table.set('row', { n: 1 })
      waiting = other.run('set', 'memory', 'row', 2)
      const until = performance.now() + 50
      while (performance.now() < until) assert.equal(table.get('row', 'n'), 1)
      table.set('row', { n: 3 })
    })

    await waiting
    assert.equal(table.get('row', 'n'), 2)
  })

  test('is not seen by another process before it is done', async (t) => {
    const memory = new SharedMemory(t)
    const table = memory.table('memory')
    const other = await memory.start()
    table.set('row', { n: 1 })

    assert.throws(() =>
      memory.tables.transaction(() => {
        table.set('row', { n: 2 })
        throw new Error('undone')
      }),
    )

    assert.deepEqual(await other.run('get', 'memory', 'row'), { n: 1, text: '' })
  })

  test('holds users and groups, too', (t) => {
    const memory = new SharedMemory(t)
    const registry = new Registry(memory.store)
    registry.add({
      fd: 1,
      owner: 1,
      port: 'p',
      protocol: 'tcp',
      remoteAddress: '',
      remotePort: 0,
      connectedAt: 0,
      uid: undefined,
      groups: [],
      worker: 0,
    })

    assert.throws(() =>
      memory.tables.transaction(() => {
        registry.bind(1, 'ann')
        registry.join(1, 'all')
        throw new Error('undone')
      }),
    )

    assert.equal(registry.isOnline('ann'), false)
    assert.deepEqual(registry.groups(), [])
  })
})
