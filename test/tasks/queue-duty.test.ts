import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { serialize } from 'node:v8'
import type { Config } from '../../src/config/schema.ts'
import type { Daemon } from '../../src/contracts/daemon.ts'
import { Mailroom } from '../../src/ipc/mailroom.ts'
import { QueueDuty } from '../../src/tasks/queue-duty.ts'
import { TOPIC } from '../../src/tasks/task-messages.ts'
import { encodeRecord, KIND, number, pack, STAGE } from '../../src/tasks/task-record.ts'
import { silentLog } from '../admin/fixtures.ts'
import { temporaryFolder } from '../shared/shared-memory.ts'

const SELF = { role: 'queue', index: 0, owner: 1, isLeaving: false } as const
const CALLER = { role: 'worker', index: 0, owner: 2, isLeaving: false } as const
const NOTHING = Buffer.alloc(0)

describe('QueueDuty', () => {
  test('drops tasks of run that come after the news that their caller has ended', async (t) => {
    const dir = temporaryFolder(t)
    const log = silentLog()
    const post = new Mailroom({ self: SELF, log, carrier: { carry: () => true, backlog: () => 0 } })
    const config = { runtimeDir: dir, tasks: { dataDir: dir, maxQueued: 10, maxFailed: 10 } } as unknown as Config
    const queue = new QueueDuty({ config, place: SELF, daemon: {} as Daemon, post, log, kill: () => {} })
    t.after(() => queue.stop())
    await queue.load()
    await queue.start()
    const deliver = (id: number): void => {
      const state = { due: 0, attempts: 0, kills: 0, stage: STAGE.handle, kind: KIND.run, deliveredAt: 0, backoffMs: 0, tries: 1 }
      const record = encodeRecord({ ...state, id: 0, producer: 0, className: 'Work', eventName: '', input: NOTHING, output: NOTHING })
      number(record, id, 7)
      post.receive('post', { topic: TOPIC.deliver, id: 0, body: serialize(pack([record])), from: CALLER.owner })
    }
    const numWaiting = (): number => (queue.report().status as { waiting: number }).waiting

    post.setMembers([SELF, CALLER])
    deliver(101)
    assert.equal(numWaiting(), 1)
    post.setMembers([SELF])
    deliver(102)

    assert.equal(numWaiting(), 0)
  })
})
