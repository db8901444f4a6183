import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { DaemonProcess, kill } from '../daemon-process.ts'
import { MIB, memoryOf } from './process-figures.ts'
import { Probe, TaskDaemon } from './task-daemon.ts'

const numbers = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i)

describe('tasks', () => {
  test('G1: 10,000 tasks are all done while a task worker is killed every 300 ms, and each extra run is in the log', async (t) => {
    const tasks = await TaskDaemon.start(t, { concurrency: 8 })
    // On a busy machine a task worker needs longer than 300 ms to start: for ever nothing would be done.
    let kills = 0
    const killer = setInterval(() => {
      const pids = tasks.pids('task')
      if (pids.length === 0) return
      if (++kills > 20) clearInterval(killer)
      kill(pids[Math.floor(Math.random() * pids.length)])
    }, 300)
    t.after(() => clearInterval(killer))

    for (let from = 0; from < 10_000; from += 2500) {
      const delivered = await tasks.post(
        'Note',
        numbers(2500, from).map((n) => ({ n, ms: 2 })),
      )
      assert.ok(delivered.every(({ value }) => typeof value === 'number'))
    }
    await tasks.until(() => new Set(tasks.lines('notes')).size === 10_000, 'all are done', 60_000)
    clearInterval(killer)

    const extra = tasks.lines('notes').length - 10_000
    const retried = tasks.daemon.lines.filter((line) => line.includes('Task is run again')).length
    assert.ok(retried >= extra, `${extra} extra runs, ${retried} in the log`)
    t.diagnostic(`${extra} extra runs, ${retried} retries in the log`)
    assert.equal((await tasks.daemon.status()).state, 'ready')
  })

  test('G3: a task that kills its task worker each time is set aside after three, and the others go on', async (t) => {
    const tasks = await TaskDaemon.start(t)

    await tasks.post(
      'Note',
      numbers(500).map((n) => ({ n, ms: 0 })),
    )
    const [poison] = await tasks.post('Poison', [1])
    await tasks.post(
      'Note',
      numbers(500, 500).map((n) => ({ n, ms: 0 })),
    )
    await tasks.daemon.line(/has died 3 times: the task is set aside/)
    await tasks.until(() => new Set(tasks.lines('notes')).size === 1000, 'the others are done')

    assert.equal(tasks.lines('poisoned').length, 3)
    assert.equal(typeof poison?.value, 'number')
  })

  test('a task worker is replaced when a task blocks its event loop for longer than timeoutMs', async (t) => {
    const tasks = await TaskDaemon.start(t, { workers: 1 })
    const [pid] = tasks.pids('task')

    const [answer] = await tasks.post('run/Block', [5000])
    await tasks.post('Note', [{ n: 1, ms: 0 }])
    await tasks.until(() => tasks.lines('notes').length === 1, 'the next one is done')

    assert.equal(answer?.error, 'TaskTimeoutError')
    assert.notDeepEqual(tasks.pids('task'), [pid])
  })

  test('a task worker is replaced when a promise takes longer than timeoutMs, and what was beside it is run again', async (t) => {
    const tasks = await TaskDaemon.start(t, { workers: 1, concurrency: 2 })

    const hanging = tasks.post('run/Hang', [60_000])
    await tasks.post('Note', [{ n: 1, ms: 600 }])
    const [answer] = await hanging
    await tasks.until(() => tasks.lines('notes').length === 1, 'the one beside it is done')

    assert.equal(answer?.error, 'TaskTimeoutError')
  })

  test('finish runs in a worker, in the one that has delivered', async (t) => {
    const tasks = await TaskDaemon.start(t, {}, { config: { workers: 2 } })

    await tasks.post('Finished', numbers(20))
    await tasks.until(() => tasks.lines('finished').length === 20, 'all have finished')

    const lines = tasks.lines('finished').map((line) => line.split(' '))
    assert.deepEqual(
      lines.map(([input]) => Number(input)).sort((a, b) => a - b),
      numbers(20),
    )
    assert.ok(lines.every(([input, output, role]) => Number(output) === 2 * Number(input) && role === 'worker'))
    assert.equal(new Set(lines.map(([, , , pid]) => pid)).size, 1)
  })

  test('the queue that is killed is back at once: nothing is lost, and what runs meanwhile is not run twice', async (t) => {
    const tasks = await TaskDaemon.start(t, { concurrency: 10 })
    await tasks.post(
      'Note',
      numbers(20).map((n) => ({ n, ms: 1500 })),
    )
    await tasks.until(async () => ((await tasks.daemon.status()).tasks?.running ?? 0) >= 10, 'many run')

    kill(tasks.pids('queue')[0])
    const delivered = await tasks.post(
      'Note',
      numbers(20, 20).map((n) => ({ n, ms: 0 })),
    )
    await tasks.until(() => tasks.lines('notes').length >= 40, 'all are done')

    assert.ok(delivered.every(({ value }) => typeof value === 'number'))
    await sleep(200)
    assert.deepEqual(
      tasks
        .lines('notes')
        .map(Number)
        .sort((a, b) => a - b),
      numbers(40),
    )
  })

  const rounds = Number(process.env['TASK_KILL_ROUNDS'] ?? 4)
  test('G7: all that was accepted is there after kill -9 of every process', { timeout: 60_000 + 10_000 * rounds }, async (t) => {
    const first = await TaskDaemon.start(t)
    let tasks = first
    let accepted = 0
    for (let round = 0; round < rounds; round++) {
      const posting = tasks.post(
        'Note',
        numbers(50, 50 * round).map((n) => ({ n, ms: 0 })),
        { delayMs: 20 },
      )
      await posting
      accepted += 50
      await sleep(Math.random() * 60)
      // Of the master alone: the others end by themselves, while the next daemon starts.
      for (const pid of [...(round % 2 === 0 ? tasks.pids('') : []), tasks.daemon.pid]) kill(pid)
      await tasks.daemon.exited
      tasks = new TaskDaemon(await DaemonProcess.again(t, first.daemon.dir))
    }

    await tasks.until(() => new Set(tasks.lines('notes')).size === accepted, `all ${accepted} are done`)
  })

  for (const signal of ['SIGUSR2', 'SIGHUP'] as const) {
    test(`G4: ${signal} lets running tasks finish and answers who waits for one, keeps those that wait, and has the new code take the next`, async (t) => {
      const tasks = await TaskDaemon.start(t, { workers: 1, concurrency: 2 })
      await tasks.post('Held', [1])
      await tasks.post('Double', [1], { delayMs: 1500 })
      const call = tasks.post('run/Held', [2])
      await tasks.until(async () => (await tasks.daemon.status()).tasks?.running === 2, 'both run')
      await tasks.post('Note', [{ n: 3, ms: 0 }])
      const [before] = tasks.pids('task')

      writeFileSync(
        join(tasks.daemon.dir, 'tasks.ts'),
        `
      import { appendFileSync } from 'node:fs'
      import { Task } from 'polyport'
      process.chdir(import.meta.dirname)
      export class Held extends Task { handle() {} }
      export class Note extends Task { handle({ n }) { appendFileSync('notes', 'new ' + n + '\\n'); return 'new' } }`,
      )
      tasks.daemon.child.kill(signal)
      await tasks.until(() => tasks.lines('notes').length === 1, 'the new code has taken what waits')
      tasks.release()

      assert.deepEqual(await call, [{ value: 'held 2' }])
      await tasks.until(() => tasks.lines('notes').length === 3, 'all are done')
      await tasks.daemon.line(/Tasks wait for a class that no module exports: Double/)
      assert.deepEqual(tasks.lines('notes').toSorted(), ['held 1', 'held 2', 'new 3'])
      await tasks.until(() => !tasks.pids('task').includes(before ?? 0), 'the old task worker has gone')
      assert.deepEqual(await tasks.post('run/Note', [{ n: 4, ms: 0 }]), [{ value: 'new' }])
      assert.equal(
        tasks.daemon.lines.some((line) => line.includes('Task is run again')),
        false,
      )
    })
  }

  test('a stop waits for what runs, and what waits is there after the next start', async (t) => {
    const tasks = await TaskDaemon.start(t, { workers: 1 })
    await tasks.post(
      'Note',
      numbers(3).map((n) => ({ n, ms: n === 0 ? 2000 : 0 })),
    )
    await tasks.until(async () => (await tasks.daemon.status()).tasks?.running === 1, 'one runs')

    assert.equal(await tasks.daemon.stop(), 0)
    assert.deepEqual(tasks.lines('notes'), ['0'])
    const next = new TaskDaemon(await DaemonProcess.again(t, tasks.daemon.dir))
    await next.until(() => next.lines('notes').length === 3, 'the others are done')

    assert.deepEqual(next.lines('notes'), ['0', '1', '2'])
  })

  test('C10: a full queue refuses at once, and the port goes on', async (t) => {
    const tasks = await TaskDaemon.start(t, { maxQueued: 1000 })
    const startedAt = performance.now()

    const delivered = await tasks.post(
      'Note',
      numbers(10_000).map((n) => ({ n, ms: 60_000 })),
    )
    const tookMs = performance.now() - startedAt

    assert.equal(delivered.filter(({ value }) => value !== undefined).length, 1000)
    assert.equal(delivered.filter(({ error }) => error === 'QueueFullError').length, 9000)
    assert.match(delivered.find(({ message }) => message !== undefined)?.message ?? '', /1000 tasks wait or run, as many as tasks.maxQueued allows/)
    // Nobody waits for a place: that would take a minute.
    assert.ok(tookMs < 30_000, `it took ${tookMs} ms`)
    assert.match(await tasks.daemon.metrics(), /polyport_tasks_refused_total\{reason="queue_full"\} 9000/)
  })

  test('C10: while the queue is full, and every request of many is refused, the port answers within 100 ms, and memory does not grow', async (t) => {
    const tasks = await TaskDaemon.start(t, { maxQueued: 1000 }, { config: { workers: 2 } })
    const probe = await Probe.open(t, tasks.daemon)
    const quiet = [await probe.p99()]
    const taken = await tasks.post(
      'Note',
      numbers(1000).map((n) => ({ n, ms: 60_000 })),
    )
    assert.ok(taken.every(({ value }) => value !== undefined))
    const pids = [...tasks.pids('queue'), ...tasks.pids('worker')]
    const memory = pids.map((pid) => memoryOf(pid).anon)

    const during: number[] = []
    let refused = 0
    for (let round = 1; round <= 4; round++) {
      let isOver = false
      const measured = probe.p99().finally(() => {
        isOver = true
      })
      while (!isOver || refused < 2500 * round) {
        const answers = await tasks.post('Note', Array(100).fill({ n: 0, ms: 0 }))
        refused += answers.filter(({ error }) => error === 'QueueFullError').length
      }
      during.push(await measured)
      quiet.push(await probe.p99())
    }

    const grown = pids.map((pid, i) => Math.round((memoryOf(pid).anon - (memory[i] ?? 0)) / MIB))
    const show = (times: readonly number[]): string => times.map((ms) => ms.toFixed(1)).join(', ')
    t.diagnostic(`p99 ${show(during)} ms with ${refused} refused, ${show(quiet)} ms before and between; ${grown.join(', ')} MiB more`)
    // The machine may be busy with something else: then what there was without tasks is slow, too.
    assert.ok(Math.min(...during) < Math.max(100, 3 * Math.max(...quiet)), `${show(during)} ms, otherwise ${show(quiet)} ms`)
    assert.ok(Math.max(...grown) < 96, `${grown} MiB`)
  })

  test('G5: a slow task does not hold up the others, whether it waits or blocks', async (t) => {
    const tasks = await TaskDaemon.start(t)
    // So that the class is known to be quick.
    await tasks.post(
      'Note',
      numbers(300).map((n) => ({ n, ms: 0 })),
    )
    await tasks.until(() => tasks.lines('notes').length === 300, 'it is known')

    await tasks.post('Note', [{ n: 1000, ms: 60_000 }, ...numbers(300, 300).map((n) => ({ n, ms: 0 }))])
    await tasks.until(() => tasks.lines('notes').length === 600, 'the others are done')

    assert.equal(tasks.lines('notes').includes('1000'), false)
  })
})
