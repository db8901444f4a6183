import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { TaskStore } from '../../src/shared/task-store.ts'
import { answerAdmin } from '../../src/tasks/task-admin.ts'
import type { TaskResult } from '../../src/tasks/task-messages.ts'
import { TaskQueue } from '../../src/tasks/task-queue.ts'
import { encodeRecord, KIND, number, RECORD_VERSION, STAGE } from '../../src/tasks/task-record.ts'
import { silentLog } from '../admin/fixtures.ts'
import { temporaryFolder } from '../shared/shared-memory.ts'

const WORKER = 5
const DELIVERER = 6
const TIMEOUT_MS = 60_000

interface Scene {
  readonly queue: TaskQueue
  /** Processes that were to be killed. */
  readonly killed: number[]
  /** @param options.aheadMs how far the clock is ahead of the queue's */
  deliver(options: { numTasks?: number; numBytes?: number; tries?: number; backoffMs?: number; delayMs?: number; aheadMs?: number }): Promise<void>
  greet(owner: number, concurrency?: number): void
  /** Numbers of the tasks that a process has been given. */
  given(): Promise<readonly number[]>
  fail(owner: number, id: number): void
}

/** A queue on disk, and the processes around it as far as it knows them. */
function sceneOf(t: TestContext): Scene {
  const store = new TaskStore({ dir: temporaryFolder(t), version: RECORD_VERSION })
  const [killed, given]: [number[], number[]] = [[], []]
  const accepted: (() => void)[] = []
  const queue = new TaskQueue({
    store,
    log: silentLog(),
    maxQueued: 10_000,
    maxFailed: 10,
    links: {
      give: (_owner, _stage, records) => given.push(...records.map((record) => record.readDoubleLE(0))),
      recall: () => {},
      accepted: () => accepted.shift()?.(),
      refused: () => assert.fail('refused'),
      answer: () => {},
      ranIn: () => undefined,
      kill: (owner) => killed.push(owner) > 0,
    },
  })
  t.after(() => queue.stop())
  queue.load()
  queue.start()
  let last = 100
  return {
    queue,
    killed,
    async deliver({ numTasks = 1, numBytes = 1, tries = 1, backoffMs = 0, delayMs = 0, aheadMs = 0 }) {
      const now = Date.now() + aheadMs
      const records = Array.from({ length: numTasks }, () => {
        const state = { due: now + delayMs, attempts: 0, kills: 0, stage: STAGE.handle, kind: KIND.task, deliveredAt: now, backoffMs, tries }
        const nothing = Buffer.alloc(0)
        const record = encodeRecord({
          ...state,
          id: 0,
          producer: 0,
          className: 'Work',
          eventName: '',
          input: Buffer.from(JSON.stringify('x'.repeat(numBytes))),
          output: nothing,
        })
        number(record, ++last, 100)
        return record
      })
      const done = new Promise<void>((resolve) => accepted.push(resolve))
      queue.deliver(DELIVERER, records)
      await done
    },
    greet: (owner, concurrency = 1) =>
      queue.greet(owner, { producer: 0, handle: { concurrency, classes: [{ name: 'Work', concurrency: 0, timeoutMs: TIMEOUT_MS }], has: [] } }),
    async given() {
      while (given.length === 0) await new Promise(setImmediate)
      return given.splice(0)
    },
    fail: (owner, id) => queue.results(owner, STAGE.handle, [{ id, ms: 1, error: { name: 'Error', message: 'as asked' } } satisfies TaskResult]),
  }
}

/** How many bytes of tasks are in memory. */
function bytesInMemory({ queue }: Scene): number {
  return Array.from(queue.book.entries.values()).reduce((sum, { record }) => sum + (record?.length ?? 0), 0)
}

/** Moves the clock that nobody can set, and has the queue look around. */
function pass(t: TestContext, ms: number): void {
  const now = performance.now.bind(performance)
  t.mock.method(performance, 'now', () => now() + ms)
  t.mock.timers.tick(20)
}

describe('TaskQueue', () => {
  test('kills no task worker as somebody sets the clock', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const scene = sceneOf(t)
    scene.greet(WORKER)
    await scene.deliver({})
    await scene.given()

    const now = Date.now.bind(Date)
    t.mock.method(Date, 'now', () => now() + 10 * TIMEOUT_MS)
    t.mock.timers.tick(20)
    assert.deepEqual(scene.killed, [])

    pass(t, 2 * TIMEOUT_MS)
    assert.deepEqual(scene.killed, [WORKER])
  })

  test('gives a task that is due while the machine sleeps within a minute of its waking', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const scene = sceneOf(t)
    scene.greet(WORKER)
    await scene.deliver({ delayMs: 3_600_000 })
    await new Promise(setImmediate)

    const now = Date.now.bind(Date)
    t.mock.method(Date, 'now', () => now() + 3_600_000)
    t.mock.timers.tick(60_000)

    assert.equal((await scene.given()).length, 1)
  })

  test('has nothing wait for longer as somebody sets the clock back: what is held, waits, is on its way, or has a time of its own', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const scene = sceneOf(t)
    const now = Date.now.bind(Date)
    scene.greet(WORKER)
    await scene.deliver({})
    const [held = 0] = await scene.given()
    await scene.deliver({})
    await scene.deliver({ delayMs: 5000 })
    const onItsWay = scene.deliver({})

    t.mock.method(Date, 'now', () => now() - 3_600_000)
    await onItsWay
    await scene.deliver({})
    scene.queue.lost(WORKER)
    scene.greet(WORKER + 1, 10)
    const atOnce = await scene.given()
    pass(t, 5000)
    t.mock.method(Date, 'now', () => now() - 3_600_000 + 5000)
    t.mock.timers.tick(5000)

    assert.deepEqual(atOnce, [held, held + 1, held + 3, held + 4])
    assert.deepEqual(await scene.given(), [held + 2])
  })

  test('gives a task that was delivered by a clock which has been set back since', async (t) => {
    const scene = sceneOf(t)
    scene.greet(WORKER)

    await scene.deliver({ aheadMs: 3_600_000 })

    assert.equal((await scene.given()).length, 1)
  })

  test('watches over a task that is tried again also when it failed just as its time was over', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const scene = sceneOf(t)
    scene.greet(WORKER)
    await scene.deliver({ tries: 3 })
    const [id = 0] = await scene.given()

    pass(t, 2 * TIMEOUT_MS)
    assert.deepEqual(scene.killed, [WORKER])
    // It has failed before the signal came.
    scene.fail(WORKER, id)
    scene.queue.lost(WORKER)
    scene.greet(WORKER + 1)
    assert.deepEqual(await scene.given(), [id])

    pass(t, 2 * TIMEOUT_MS)
    assert.deepEqual(scene.killed, [WORKER, WORKER + 1])
  })

  test('keeps no more in memory when its tasks are listed', async (t) => {
    const scene = sceneOf(t)
    await scene.deliver({ numTasks: 50, numBytes: 10_000, delayMs: 3_600_000 })
    await new Promise(setImmediate)
    assert.equal(bytesInMemory(scene), 0)

    const { tasks } = answerAdmin(scene.queue, { verb: 'list', state: 'waiting', limit: 50 })
    answerAdmin(scene.queue, { verb: 'show', id: tasks[0]?.id ?? 0 })

    assert.equal(tasks.length, 50)
    assert.equal(bytesInMemory(scene), 0)
  })

  test('leaves tasks that wait for long before they are tried again on disk', async (t) => {
    const scene = sceneOf(t)
    scene.greet(WORKER, 50)
    await scene.deliver({ numTasks: 50, numBytes: 10_000, tries: 5, backoffMs: 3_600_000 })
    let numFailed = 0
    while (numFailed < 50) for (const id of await scene.given()) numFailed += Number(scene.fail(WORKER, id) === undefined)

    while (bytesInMemory(scene) > 0) await new Promise(setImmediate)

    const { tasks } = answerAdmin(scene.queue, { verb: 'list', state: 'waiting', limit: 50 })
    assert.deepEqual(
      tasks.map(({ attempts }) => attempts),
      Array.from({ length: 50 }, () => 1),
    )
  })
})
