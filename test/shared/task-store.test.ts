import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
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

  test('writes what has become of tasks again when the disk has refused it, and nothing else', async (t) => {
    const dir = temporaryFolder(t)
    const refused: unknown[] = []
    const store = new TaskStore({ dir, version: 1, onRefused: (error) => refused.push(error) })
    for (let id = 1; id <= 50; id++) store.add(id, Buffer.alloc(500, 'a'))
    await store.commit()

    t.after(() => limitFiles('unlimited'))
    limitFiles(statSync(join(dir, 'tasks')).size)
    for (let id = 1; id <= 40; id++) store.remove(id)
    store.put(41, Buffer.from('tried'))
    store.putFailed(42, Buffer.from('failed'))
    await assert.rejects(store.commit(), /The disk refuses/)
    store.add(99, Buffer.alloc(100_000, 'b'))
    await assert.rejects(store.commit(), /The disk refuses/)
    // Later than what was refused, and before it is written.
    store.put(41, Buffer.from('tried again'))
    store.remove(42)
    limitFiles('unlimited')
    await store.close()

    const again = new TaskStore({ dir, version: 1 })
    t.after(() => again.close())
    const ids = Array.from({ length: 100 }, (_, id) => id).filter((id) => again.task(id) !== undefined)
    assert.deepEqual(ids, [41, 43, 44, 45, 46, 47, 48, 49, 50])
    assert.deepEqual([String(again.task(41)), String(again.failedTask(42))], ['tried again', 'failed'])
    assert.equal(refused.length, 1)
  })
})

/** How long a file may grow that this process writes: a disk that is full, and then is not. */
function limitFiles(numBytes: number | 'unlimited'): void {
  assert.equal(spawnSync('prlimit', ['--pid', String(process.pid), `--fsize=${numBytes}:`]).status, 0)
}
