import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TaskStore } from '../../src/shared/task-store.ts'
import { temporaryFolder } from './shared-memory.ts'

describe('TaskStore', () => {
  test('keeps what was committed, in the order of its numbers', async (t) => {
    const dir = temporaryFolder(t)
    const store = new TaskStore({ dir, version: 1 })
    store.put(2 ** 40, Buffer.from('late'))
    store.put(7, Buffer.from('early'))
    store.put(8, Buffer.from('gone'))
    store.remove(8)
    store.putFailed(9, Buffer.from('failed'))
    store.setProducer(5, 2 ** 40)
    await store.commit()
    await store.close()

    const again = new TaskStore({ dir, version: 1 })
    t.after(() => again.close())

    assert.deepEqual([...again.tasks()].map(String), ['early', 'late'])
    assert.deepEqual([String(again.task(2 ** 40)), again.task(8)], ['late', undefined])
    assert.deepEqual(
      [...again.failed()].map(({ id, value }) => [id, String(value)]),
      [[9, 'failed']],
    )
    assert.deepEqual([...again.producers()], [[5, 2 ** 40]])
  })

  test('is not opened by a version that reads another form', async (t) => {
    const dir = temporaryFolder(t)
    const store = new TaskStore({ dir, version: 1 })
    await store.commit()
    await store.close()

    assert.throws(() => new TaskStore({ dir, version: 2 }), /Cannot use the tasks in .*: they are of version 1, expected 2/)
  })

  test('close() is safe to call twice, and writes what was not committed', async (t) => {
    const dir = temporaryFolder(t)
    const store = new TaskStore({ dir, version: 1 })
    store.put(1, Buffer.from('one'))
    await store.close()
    await store.close()
    store.put(2, Buffer.from('two'))
    await assert.rejects(store.commit(), /closed/)

    const again = new TaskStore({ dir, version: 1 })
    t.after(() => again.close())

    assert.deepEqual([...again.tasks()].map(String), ['one'])
  })
})
