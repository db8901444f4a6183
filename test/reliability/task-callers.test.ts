import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { kill } from '../daemon-process.ts'
import { TaskDaemon } from './task-daemon.ts'

/** How many tasks the queue has, by what it says itself. */
async function living(tasks: TaskDaemon): Promise<{ waiting: number; running: number }> {
  const { waiting = -1, running = -1 } = (await tasks.daemon.status()).tasks ?? {}
  return { waiting, running }
}

async function untilRunning(tasks: TaskDaemon, count: number): Promise<void> {
  await tasks.until(async () => (await living(tasks)).running === count, `${count} run`)
}

async function untilEmpty(tasks: TaskDaemon): Promise<void> {
  await tasks.until(async () => Object.values(await living(tasks)).every((count) => count === 0), 'the queue is empty')
  for (const state of ['waiting', 'running']) {
    const { body } = await tasks.daemon.request('GET', `/api/tasks?state=${state}`)
    assert.deepEqual((JSON.parse(body) as { tasks: unknown }).tasks, [])
  }
}

async function abandoned(tasks: TaskDaemon, name: string): Promise<number> {
  return Number(new RegExp(`polyport_tasks_abandoned_total\\{class="${name}"\\} (\\d+)`).exec(await tasks.daemon.metrics())?.[1])
}

describe('callers of tasks', () => {
  test('G2: of one that is killed, tasks that wait are dropped, those that run end, and both are counted', async (t) => {
    const tasks = await TaskDaemon.start(t, { workers: 1, concurrency: 2 })
    const [caller] = tasks.pids('worker')
    const calls = assert.rejects(tasks.post('run/Held', [...Array(20).keys()]))
    await untilRunning(tasks, 2)

    kill(caller)
    await calls
    await tasks.until(async () => (await abandoned(tasks, 'Held')) === 20, 'all are counted')
    assert.deepEqual(await living(tasks), { waiting: 0, running: 2 })
    tasks.release()
    await untilEmpty(tasks)

    assert.deepEqual(tasks.lines('notes').toSorted(), ['held 0', 'held 1'])
    assert.deepEqual(await tasks.post('run/Double', [21]), [{ value: 42 }])
  })

  test('G2: when the task worker of a caller that has gone is killed, too, the task is not begun again', async (t) => {
    const tasks = await TaskDaemon.start(t, { workers: 1 })
    const calls = assert.rejects(tasks.post('run/Held', [1]))
    await untilRunning(tasks, 1)

    kill(tasks.pids('worker')[0])
    await calls
    await tasks.until(async () => (await abandoned(tasks, 'Held')) === 1, 'the queue knows')
    kill(tasks.pids('task')[0])
    await untilEmpty(tasks)

    assert.deepEqual(await tasks.post('run/Double', [21]), [{ value: 42 }])
    assert.equal(
      tasks.daemon.lines.some((line) => line.includes('Task is run again')),
      false,
    )
  })

  test('G2: when a task worker is killed, its callers are answered by the next one, or told that the task kills it', async (t) => {
    const tasks = await TaskDaemon.start(t, { workers: 1 })
    const call = tasks.post('run/Held', [1])
    await untilRunning(tasks, 1)

    kill(tasks.pids('task')[0])
    await tasks.daemon.line(/Task is run again/)
    tasks.release()

    assert.deepEqual(await call, [{ value: 'held 1' }])
    assert.deepEqual(tasks.lines('notes'), ['held 1'])
    const [answer] = await tasks.post('run/Poison', [1])
    assert.equal(answer?.error, 'TaskFailedError')
    assert.match(answer?.message ?? '', /The process that ran Poison has died 3 times/)
    await untilEmpty(tasks)
  })

  test('G2: when the worker that has delivered a task is killed, finish runs in another', async (t) => {
    const tasks = await TaskDaemon.start(t, { workers: 1 })
    await tasks.post('Late', [1])
    await untilRunning(tasks, 1)
    const [deliverer] = tasks.pids('worker')

    kill(deliverer)
    tasks.release()
    await tasks.until(() => tasks.lines('finished').length === 1, 'it has finished')

    const [output, pid] = /^(.*) (\d+)$/.exec(tasks.lines('finished')[0] ?? '')?.slice(1) ?? []
    assert.equal(output, 'held 1')
    assert.ok(tasks.pids('worker').includes(Number(pid)))
    assert.notEqual(Number(pid), deliverer)
    await untilEmpty(tasks)
  })

  for (const isQuick of [false, true]) {
    test(`G2: when the queue is killed, the task is not run twice, and its caller is answered${isQuick ? ', also when it ends meanwhile' : ''}`, async (t) => {
      const tasks = await TaskDaemon.start(t, { workers: 1, concurrency: 2 })
      const [queue] = tasks.pids('queue')
      const call = tasks.post('run/Held', [1])
      await untilRunning(tasks, 1)

      kill(queue)
      // What is told to one that has died, and of whose death nobody knows yet, is lost: then it is run again.
      await tasks.until(() => tasks.pids('queue').some((pid) => pid !== queue), 'there is another queue')
      if (isQuick) tasks.release()
      assert.deepEqual(await tasks.post('run/Double', [21]), [{ value: 42 }])
      tasks.release()

      assert.deepEqual(await call, [{ value: 'held 1' }])
      assert.deepEqual(tasks.lines('notes'), ['held 1'])
      await untilEmpty(tasks)
    })
  }

  test('a stop waits for a task of run that has begun, and tells who waits for one that has not', async (t) => {
    const tasks = await TaskDaemon.start(t, { workers: 1 })
    const begun = tasks.post('run/Held', [1])
    await untilRunning(tasks, 1)
    const waiting = tasks.post('run/Held', [2])
    await tasks.until(async () => (await living(tasks)).waiting === 1, 'the other one waits')

    const stopped = tasks.daemon.stop()
    const [refused] = await waiting
    tasks.release()

    assert.deepEqual([refused?.error, refused?.message], ['QueueClosedError', 'Held has not begun: the process that waits for it ends'])
    assert.deepEqual(await begun, [{ value: 'held 1' }])
    assert.equal(await stopped, 0)
  })

  test('G2: callers and task workers are killed in turn: every call ends, and nothing is left in the queue', async (t) => {
    const tasks = await TaskDaemon.start(t, { workers: 2, concurrency: 4 }, { config: { workers: 2 } })
    let cut = 0
    for (let round = 0; round < 6; round++) {
      const calls = Array.from({ length: 4 }, () => tasks.post('run/Note', Array(10).fill({ n: 0, ms: 20 })))
      let isOver = false
      const ended = Promise.allSettled(calls).finally(() => {
        isOver = true
      })
      await tasks.until(async () => isOver || (await living(tasks)).running > 0, 'some run')
      kill(tasks.pids(round % 2 === 0 ? 'task' : 'worker')[0])
      for (const call of await ended) {
        if (call.status === 'rejected') cut++
        else assert.deepEqual(call.value, Array(10).fill({}))
      }
    }

    await untilEmpty(tasks)
    t.diagnostic(`${cut} of 24 calls were cut, ${await abandoned(tasks, 'Note')} tasks of theirs abandoned`)
    assert.equal((await tasks.post('run/Double', [21]))[0]?.value, 42)
  })
})
