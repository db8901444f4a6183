import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Entry } from '../../src/tasks/entry.ts'
import type { FailedTasks } from '../../src/tasks/failed-tasks.ts'
import { Lane } from '../../src/tasks/lane.ts'
import { Outcomes } from '../../src/tasks/outcomes.ts'
import type { TaskBook } from '../../src/tasks/task-book.ts'
import { decodeRecord, encodeRecord, KIND, STAGE } from '../../src/tasks/task-record.ts'
import { TaskStats } from '../../src/tasks/task-stats.ts'
import { silentLog } from '../admin/fixtures.ts'

const NOTHING = Buffer.alloc(0)

function entryWith(state: { tries: number; backoffMs: number; attempts: number }): Entry {
  const names = { className: 'Work', eventName: '', input: NOTHING, output: NOTHING }
  const record = encodeRecord({ id: 1, producer: 1, deliveredAt: 0, due: 0, kills: 0, stage: STAGE.handle, kind: KIND.task, ...names, ...state })
  return new Entry(new Lane('Work'), { record, fields: decodeRecord(record), asker: 0 })
}

for (const backoffMs of [0, 0.001, 1000]) {
  test(`Outcomes: a task with many tries and a backoff of ${backoffMs} ms is due at a time that there is, also after thousands of them`, () => {
    const entry = entryWith({ tries: 1_000_000, backoffMs, attempts: 5000 })
    const again: Entry[] = []
    const outcomes = new Outcomes({
      book: { write: () => {}, settle: () => {} } as unknown as TaskBook,
      failed: {} as FailedTasks,
      stats: new TaskStats(),
      log: silentLog(),
      again: (one) => void again.push(one),
      answer: () => {},
    })

    outcomes.take(entry, { id: 1, ms: 1, error: { name: 'Error', message: 'as asked' } })

    assert.deepEqual(again, [entry])
    const pauseMs = entry.due - Date.now()
    assert.ok(pauseMs <= 1.25 * 24 * 3600 * 1000 && pauseMs > (backoffMs === 0 ? -5000 : 23 * 3600 * 1000), `${pauseMs} ms`)
  })
}
