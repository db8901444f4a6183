import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { LocalPost } from '../../src/ipc/local-post.ts'
import { createLog } from '../../src/log/log.ts'
import { WorkerMessages } from '../../src/worker/worker-messages.ts'

const log = createLog({ level: 'silent', format: 'json', name: 'messages', role: 'test' })

/** Two workers and the timer process. */
function three(t: TestContext): { zero: WorkerMessages; one: WorkerMessages; timer: WorkerMessages } {
  const post = new LocalPost(log)
  t.after(() => post.close())
  const member = (role: 'worker' | 'timer', index: number, owner: number): WorkerMessages => new WorkerMessages(post.join({ role, index }, owner), log)
  return { zero: member('worker', 0, 1), one: member('worker', 1, 2), timer: member('timer', 0, 3) }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await turn()
}

describe('WorkerMessages', () => {
  test('sendTo() reaches a worker, also itself, and says who sent it', async (t) => {
    const { zero, timer } = three(t)
    const got: unknown[] = []
    zero.onMessage((message, from) => void got.push(message, from))

    assert.equal(timer.sendTo(0, new Map([['a', 1n]])), true)
    assert.equal(zero.sendTo(0, 'self'), true)
    assert.equal(zero.sendTo(7, 'nobody'), false)
    await settled()

    assert.deepEqual(got, [new Map([['a', 1n]]), { role: 'timer', slot: 0 }, 'self', { role: 'worker', slot: 0 }])
  })

  test('broadcast() reaches every worker but the caller, in order', async (t) => {
    const { zero, one, timer } = three(t)
    const got: string[] = []
    zero.onMessage((message) => void got.push(`zero ${message}`))
    one.onMessage((message) => void got.push(`one ${message}`))
    timer.onMessage(() => void got.push('timer'))

    zero.broadcast('a')
    zero.broadcast('b')
    timer.broadcast('c')
    await settled()

    assert.deepEqual(got.toSorted(), ['one a', 'one b', 'one c', 'zero c'])
    assert.ok(got.indexOf('one a') < got.indexOf('one b'))
  })

  test('keeps what comes before the first callback, and its order', async (t) => {
    const { zero, timer } = three(t)
    timer.sendTo(0, 1)
    timer.sendTo(0, 2)
    await settled()
    const got: unknown[] = []

    zero.onMessage((message) => void got.push(message))
    timer.sendTo(0, 3)
    await settled()

    assert.deepEqual(got, [1, 2, 3])
  })

  test('keeps no more than 1,000 for a worker that never asks', async (t) => {
    const { zero, timer } = three(t)
    for (let i = 0; i < 1001; i++) timer.sendTo(0, i)
    await settled()
    const got: unknown[] = []

    zero.onMessage((message) => void got.push(message))
    timer.sendTo(0, 'new')
    await settled()

    assert.deepEqual(got, ['new'])
  })

  test('counts what a callback throws or rejects with; the others are called all the same', async (t) => {
    const { zero, timer } = three(t)
    const got: unknown[] = []
    zero.onMessage(() => {
      throw new Error('thrown')
    })
    zero.onMessage(() => Promise.reject(new Error('rejected')))
    zero.onMessage((message) => void got.push(message))

    timer.sendTo(0, 1)
    await settled()

    assert.equal(zero.errors, 2)
    assert.deepEqual(got, [1])
  })

  test('onMessage() returns what ends it', async (t) => {
    const { zero, timer } = three(t)
    const got: unknown[] = []
    const end = zero.onMessage((message) => void got.push(message))
    await settled()

    end()
    timer.sendTo(0, 1)
    await settled()

    assert.deepEqual(got, [])
  })

  test('what cannot be cloned is refused where it is sent', (t) => {
    const { timer } = three(t)

    assert.throws(() => timer.sendTo(0, { f: () => 1 }), /could not be cloned/)
    assert.throws(() => timer.broadcast(Symbol('s')), /could not be cloned/)
  })
})
