import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { serialize } from 'node:v8'
import type { Logger } from '../../src/contracts/logger.ts'
import { LocalPost } from '../../src/ipc/local-post.ts'
import { Mailroom } from '../../src/ipc/mailroom.ts'
import { createLog } from '../../src/log/log.ts'

const log: Logger = createLog({ level: 'silent', format: 'json', name: 'post', role: 'test' })

function two() {
  const post = new LocalPost(log)
  return { worker: post.join({ role: 'worker', index: 0 }, 1), timer: post.join({ role: 'timer', index: 0 }, 2), close: () => post.close() }
}

describe('Post', () => {
  test('send() brings a clone, in order, and says who sent it', async () => {
    const { worker, timer } = two()
    const body = { at: new Date(0), bytes: Buffer.from('abc'), big: 1n, map: new Map([['a', 1]]) }
    const { promise, resolve } = Promise.withResolvers<unknown[]>()
    const got: unknown[] = []
    worker.on('topic', (received, from) => {
      got.push(received, from.role)
      if (got.length === 4) resolve(got)
    })

    assert.equal(timer.send({ owner: 1 }, 'topic', body), true)
    assert.equal(timer.send({ owner: 1 }, 'topic', 'second'), true)

    assert.deepEqual(await promise, [body, 'timer', 'second', 'timer'])
  })

  test('send() answers false where nobody is, and throws for what cannot be cloned', () => {
    const { timer } = two()

    assert.equal(timer.send({ owner: 9 }, 'topic', 1), false)
    assert.throws(() => timer.send({ owner: 1 }, 'topic', () => 1), { message: /could not be cloned/ })
  })

  test('request() resolves with the answer, and rejects with what was thrown there', async () => {
    const { worker, timer } = two()
    worker.answer('double', (body) => 2 * Number(body))
    worker.answer('fail', () => {
      throw Object.assign(new RangeError('too far'), { code: 'FAR' })
    })

    assert.equal(await timer.request({ owner: 1 }, 'double', 21), 42)
    await assert.rejects(timer.request({ owner: 1 }, 'fail', 0), { name: 'RangeError', message: 'too far', code: 'FAR' })
    await assert.rejects(timer.request({ owner: 1 }, 'nothing', 0), { name: 'UnreachableError' })
  })

  test('request() rejects when the answer is late, cannot be cloned, or nobody is there', async () => {
    const { worker, timer } = two()
    worker.answer('never', () => new Promise(() => {}))
    worker.answer('function', () => () => 1)

    await assert.rejects(timer.request({ owner: 1 }, 'never', 0, { timeoutMs: 10 }), { code: 'POLYPORT_REQUEST_TIMEOUT' })
    await assert.rejects(timer.request({ owner: 1 }, 'function', 0), { message: /could not be cloned/ })
    await assert.rejects(timer.request({ owner: 9 }, 'never', 0), { code: 'POLYPORT_UNREACHABLE' })
  })

  test('request() rejects when the process that was asked ends', async () => {
    const self = { role: 'worker', index: 0, owner: 1, isLeaving: false } as const
    const asked = { role: 'timer', index: 0, owner: 2, isLeaving: false } as const
    const room = new Mailroom({ self, log, carrier: { carry: () => true, backlog: () => 0 } })
    room.setMembers([self, asked])
    const answer = room.request(asked, 'topic', 1)

    room.setMembers([self])

    await assert.rejects(answer, { code: 'POLYPORT_UNREACHABLE' })
  })

  test('at() finds who has a place now, not who leaves it', () => {
    const self = { role: 'worker', index: 0, owner: 1, isLeaving: false } as const
    const old = { role: 'task', index: 0, owner: 2, isLeaving: true } as const
    const next = { role: 'task', index: 0, owner: 3, isLeaving: false } as const
    const room = new Mailroom({ self, log, carrier: { carry: () => true, backlog: () => 0 } })
    let numTold = 0
    room.onMembers(() => numTold++)

    room.setMembers([self, next, old])

    assert.equal(room.at({ role: 'task', index: 0 }), next)
    assert.equal(room.at({ role: 'task', index: 1 }), undefined)
    assert.deepEqual(room.members('task'), [next, old])
    assert.equal(numTold, 1)
  })

  test('a letter of a process that is not known yet waits until it is, one of a process that has ended does not', async () => {
    const self = { role: 'queue', index: 0, owner: 1, isLeaving: false } as const
    const sender = { role: 'worker', index: 0, owner: 2, isLeaving: false } as const
    const carried: [owner: number, kind: string][] = []
    const room = new Mailroom({
      self,
      log,
      carrier: {
        carry: (owner, { kind }) => {
          carried.push([owner, kind])
          return true
        },
        backlog: () => 0,
      },
    })
    const got: unknown[] = []
    room.on('hello', (body, from) => got.push(body, from.role, room.send(from, 'welcome', 0)))
    room.answer('ask', (body) => body)
    const letter = (topic: string, body: unknown): Parameters<Mailroom['receive']>[1] => ({ topic, id: 1, body: serialize(body), from: 2 })

    room.receive('post', letter('hello', 'early'))
    room.receive('ask', letter('ask', 1))
    assert.deepEqual([got, carried], [[], []])
    room.setMembers([self, sender])
    await new Promise(setImmediate)
    room.setMembers([self])
    room.receive('post', letter('hello', 'late'))

    assert.deepEqual(got, ['early', 'worker', true, 'late', 'worker', true])
    assert.deepEqual(carried, [
      [2, 'post'],
      [2, 'answer'],
      [2, 'post'],
    ])
  })

  test('a letter of a process that has been gone for a thousand others is none of one that it knows', () => {
    const self = { role: 'queue', index: 0, owner: 1, isLeaving: false } as const
    const room = new Mailroom({ self, log, carrier: { carry: () => true, backlog: () => 0 } })
    const got: number[] = []
    room.on('hello', (_, { owner }) => got.push(owner))
    for (let owner = 2; owner <= 4000; owner++) room.setMembers([self, { role: 'worker', index: 0, owner, isLeaving: false }])

    for (const from of [4000, 3001, 2]) room.receive('post', { topic: 'hello', id: 1, body: serialize(0), from })

    assert.deepEqual(got, [4000, 3001])
  })
})
