import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { HandleLine } from '../../src/net/handle-line.ts'
import { bindStream, identityOf, type StreamHandle } from '../../src/net/node-internals.ts'

/*
 * What Polyport relies on and Node does not document:
 * - `_handleQueue` of a ChildProcess, and of `process` in a child: an array while Node waits for the other side to have a handle, else null
 * - the event 'internalMessage' with { cmd: 'NODE_HANDLE_ACK' } or { cmd: 'NODE_HANDLE_NACK' } for each handle, in the order in which they were sent
 */

// Does nothing for a while when it is told to; then says what has come, in its order.
const CHILD = `
const { fstatSync } = require('node:fs')
process.on('message', (message, handle) => {
  if (message.busyMs) for (const end = Date.now() + message.busyMs; Date.now() < end;);
  process.send({ ...message, came: handle && fstatSync(handle.fd).ino })
  if (!message.isKept) handle?.close()
})
process.send({ isReady: true })
`

interface Answer {
  readonly n?: number
  readonly came?: number
}

// Few enough to run out of.
const MAX_DESCRIPTORS = 80

async function start(t: TestContext): Promise<{ line: HandleLine; answers: Answer[]; until: (count: number) => Promise<void> }> {
  const command = ['-c', `ulimit -n ${MAX_DESCRIPTORS}; exec "$0" -e "$1"`, process.execPath, CHILD]
  const child = spawn('/bin/sh', command, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  t.after(() => child.kill('SIGKILL'))
  await once(child, 'message')
  const answers: Answer[] = []
  const waiting = new Set<() => void>()
  child.on('message', (answer: Answer) => {
    answers.push(answer)
    for (const look of waiting) look()
  })
  const until = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (answers.length >= count) resolve()
      }
      waiting.add(look)
      look()
    })
  return { line: new HandleLine(child), answers, until }
}

function handles(t: TestContext, count: number): StreamHandle[] {
  return Array.from({ length: count }, () => {
    const handle = bindStream({ host: '127.0.0.1', port: 0 })
    assert.ok(typeof handle !== 'number')
    t.after(() => handle.close())
    return handle
  })
}

function noError(error: Error | null): void {
  assert.equal(error, null)
}

test('handles that may overlap are all written while the other side is busy, and come in their order, each with its message', async (t) => {
  const { line, answers, until } = await start(t)
  const sent = handles(t, 50)
  line.send({ busyMs: 1000 }, noError)
  const written = sent.map(
    (handle, n) => new Promise<void>((resolve) => line.sendHandle({ n }, handle, { mayOverlap: true, onWritten: resolve, onLost: assert.fail }, assert.fail)),
  )
  await Promise.all(written)
  const numAnswered = answers.length
  await until(51)

  assert.equal(numAnswered, 0)
  assert.deepEqual(
    answers.slice(1),
    sent.map((handle, n) => ({ n, came: identityOf(handle) })),
  )
})

test('messages without a handle, and handles that may not overlap, keep their place among the others', async (t) => {
  const { line, answers, until } = await start(t)
  const sent = handles(t, 60)
  for (const [n, handle] of sent.entries()) {
    line.sendHandle({ n }, handle, { mayOverlap: n % 10 !== 0, onLost: assert.fail }, assert.fail)
    if (n % 3 === 0) line.send({ n: n + 0.5 }, noError)
  }
  await until(80)

  assert.deepEqual(
    answers.filter(({ came }) => came !== undefined),
    sent.map((handle, n) => ({ n, came: identityOf(handle) })),
  )
  assert.deepEqual(
    answers.map(({ n }) => n),
    sent.flatMap((_, n) => (n % 3 === 0 ? [n, n + 0.5] : [n])),
  )
})

test('those handles that the other side has no descriptor for are told of', async (t) => {
  const { line, answers, until } = await start(t)
  const sent = handles(t, 100)
  const lost: number[] = []
  const isLost = Promise.all(
    sent.map((handle, n) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      line.sendHandle({ n, isKept: true }, handle, { mayOverlap: true, onLost: () => void lost.push(n) }, assert.fail)
      // What comes behind it says what has become of it.
      line.send({ n }, () => resolve())
      return promise
    }),
  )
  await isLost
  while (answers.length + lost.length < 200) await until(answers.length + 1)
  const came = answers.filter((answer) => answer.came !== undefined)

  assert.ok(lost.length > 0 && came.length > 0, `${lost.length} of 100 were lost`)
  assert.deepEqual(
    [...lost, ...came.map(({ n }) => n)].sort((a, b) => Number(a) - Number(b)),
    sent.map((_, n) => n),
  )
  for (const { n = 0, came: identity } of came) assert.equal(identity, identityOf(sent[n] as StreamHandle))
})
