import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { AcceptQueue } from '../../src/net/accept-queue.ts'
import type { StreamHandle } from '../../src/net/node-internals.ts'

const LIMIT_MS = 50
const COST_MS = 5

function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

/** A queue whose clients are numbers, each of which blocks the event loop once it is admitted. */
function made(costMs: number): { queue: AcceptQueue; accept: (client: number) => void; admitted: number[]; refused: number[]; waits: number[] } {
  const admitted: number[] = []
  const refused: number[] = []
  const waits: number[] = []
  const queue = new AcceptQueue({
    limitMs: LIMIT_MS,
    admit: (client) => {
      admitted.push(client as unknown as number)
      block(costMs)
    },
    refuse: (client) => refused.push(client as unknown as number),
    onOverload: (waitMs) => waits.push(waitMs),
  })
  return { queue, accept: (client) => queue.accepted(client as unknown as StreamHandle), admitted, refused, waits }
}

test('AcceptQueue admits at once whoever comes while there is no queue, however long it goes on', async () => {
  const { accept, admitted, refused } = made(COST_MS)
  for (let client = 0; client < 40; client++) {
    accept(client)
    // A turn that accepts nobody lies between them.
    await nextTurn()
    await nextTurn()
    await nextTurn()
  }

  assert.equal(admitted.length, 40)
  assert.deepEqual(refused, [])
})

test('AcceptQueue empties a queue that has stood for the limit, admits who can be served soon, in order, and refuses the others', async () => {
  const { accept, admitted, refused, waits } = made(COST_MS)
  let client = 0
  // One in each turn, until the limit is over: those wait in the kernel's queue for 5 ms each. Then 100 who have come meanwhile.
  const start = performance.now()
  while (performance.now() - start < LIMIT_MS + COST_MS) {
    accept(client++)
    await nextTurn()
  }
  const before = admitted.length
  for (let i = 0; i < 100; i++) {
    accept(client++)
    await nextTurn()
  }
  await nextTurn()
  await nextTurn()

  assert.ok(before >= 1)
  assert.ok(refused.length >= 50, `${refused.length} refused`)
  assert.equal(admitted.length + refused.length, client)
  assert.deepEqual(
    admitted,
    admitted.toSorted((a, b) => a - b),
  )
  assert.ok(Math.min(...refused) >= before)
  assert.ok((waits[0] ?? 0) > LIMIT_MS, `${waits[0]} ms`)
})

test('AcceptQueue.stop() refuses who waits to be let in: nobody is when the port has stopped', async () => {
  const { queue, accept, admitted, refused } = made(COST_MS)
  let client = 0
  // Until one has to wait: the queue has stood for the limit.
  while (admitted.length === client) {
    accept(client++)
    await nextTurn()
  }
  accept(client++)
  const before = admitted.length

  queue.stop()
  for (let i = 0; i < 3; i++) await nextTurn()

  assert.equal(admitted.length, before)
  assert.equal(refused.length, client - before)
})
