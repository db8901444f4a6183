import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { ProcessLink } from '../../src/contracts/custom-process.ts'
import { LocalPost } from '../../src/ipc/local-post.ts'
import type { Post } from '../../src/ipc/post.ts'
import { createLog } from '../../src/log/log.ts'
import { PROCESS_TOPIC, processLinks } from '../../src/processes/process-links.ts'

const CONFIG = { module: './p.ts', count: 3, restartSeconds: 5, enabled: true, stdio: 'log', options: {} } as const

/** The link that a worker has to process `work`, and what makes one of these come to life. */
function link(t: TestContext): { work: ProcessLink; join: (index: number) => Post } {
  const post = new LocalPost(createLog({ level: 'silent', format: 'json', name: 'links', role: 'test' }))
  t.after(() => post.close())
  const { work } = processLinks({ work: CONFIG, off: { ...CONFIG, enabled: false } }, post.join({ role: 'worker', index: 0 }, 1))
  assert.ok(work)
  const join = (index: number): Post => {
    const process = post.join({ role: 'process', index, name: 'work' }, 10 + index)
    process.answer(PROCESS_TOPIC, (message) => `${index}: ${message}`)
    return process
  }
  return { work, join }
}

describe('processLinks()', () => {
  test('has the processes that are enabled, and no other', (t) => {
    const post = new LocalPost(createLog({ level: 'silent', format: 'json', name: 'links', role: 'test' }))
    t.after(() => post.close())

    const links = processLinks({ work: CONFIG, off: { ...CONFIG, enabled: false } }, post.join({ role: 'worker', index: 0 }, 1))

    assert.deepEqual(Object.keys(links), ['work'])
    assert.equal(links['work']?.count, 3)
  })

  test('takes those that are there in turn', async (t) => {
    const { work, join } = link(t)
    join(0)
    join(2)

    const answers = [await work.request('a'), await work.request('b'), await work.request('c')]

    assert.deepEqual(answers, ['0: a', '2: b', '0: c'])
  })

  test('whatever a process throws, who asks is told of a failure', async (t) => {
    const thrown: unknown[] = [Object.create(null), Object.assign(new Error(), { message: () => {}, stack: [() => {}] }), 'text']
    const post = new LocalPost(createLog({ level: 'silent', format: 'json', name: 'links', role: 'test' }))
    t.after(() => post.close())
    const { work } = processLinks({ work: CONFIG }, post.join({ role: 'worker', index: 0 }, 1))
    post.join({ role: 'process', index: 0, name: 'work' }, 10).answer(PROCESS_TOPIC, (index) => {
      throw thrown[Number(index)]
    })

    for (const [index, message] of [/^\[Object: null prototype\]/, /^\[Function/, /^text$/].entries())
      await assert.rejects(work?.request(index, { timeoutMs: 5000 }) ?? Promise.resolve(), { message })
  })

  test('send() answers false while none is there', (t) => {
    const { work, join } = link(t)

    assert.equal(work.send('a'), false)
    join(1)
    assert.equal(work.send('a'), true)
  })

  test('request() waits for one to be there, within its time', async (t) => {
    const { work, join } = link(t)

    const answer = work.request('a')
    join(1)

    assert.equal(await answer, '1: a')
  })

  test('request() rejects when none has come in time', async (t) => {
    const { work } = link(t)

    await assert.rejects(work.request('a', { timeoutMs: 10 }), { code: 'POLYPORT_UNREACHABLE', message: /none of its processes was there for 10 ms/ })
  })

  test('request() refuses a timeout that is none', async (t) => {
    const { work } = link(t)

    for (const timeoutMs of [0, -1, Number.NaN, 2 ** 31]) await assert.rejects(work.request('a', { timeoutMs }), RangeError)
  })
})
