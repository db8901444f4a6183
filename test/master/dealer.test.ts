import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { createLog } from '../../src/log/log.ts'
import { Dealer } from '../../src/master/dealer.ts'
import type { ListeningSocket } from '../../src/master/listening-sockets.ts'
import type { Slot } from '../../src/master/slot.ts'
import type { WorkerChild } from '../../src/master/worker-child.ts'
import { bindStream, boundPort, type StreamHandle } from '../../src/net/node-internals.ts'
import { eventually } from '../reliability/process-figures.ts'

const UNDER_WAY = 64

/** A worker that takes nothing by itself. */
class FakeChild {
  isReady = true
  slot = 0
  readonly ids: number[] = []
  readonly misses: (() => void)[] = []

  deal({ id }: { id: number }, _handle: StreamHandle, onMissed: () => void): void {
    this.ids.push(id)
    this.misses.push(onMissed)
  }
}

interface Dealt {
  readonly dealer: Dealer
  readonly slots: { isReady: boolean; current: FakeChild }[]
  readonly clients: net.Socket[]
  /** The ports of connections that were turned away. */
  readonly refused: readonly string[]
  readonly open: (count: number) => Promise<void>
}

async function start(t: TestContext, numWorkers: number): Promise<Dealt> {
  const slots = Array.from({ length: numWorkers }, () => ({ isReady: true, current: new FakeChild() }))
  const log = createLog({ level: 'fatal', format: 'json', name: 'test', role: 'test' })
  const refused: string[] = []
  const dealer = new Dealer({ slots: slots as unknown as Slot[], mode: 'round-robin', log, onRefused: (port) => refused.push(port) })
  const stream = bindStream({ host: '127.0.0.1', port: 0 })
  assert.ok(typeof stream !== 'number')
  assert.equal(
    dealer.open({ stream, config: { name: 'a' } } as unknown as ListeningSocket, () => assert.fail()),
    0,
  )
  const port = boundPort(stream)
  const { onconnection } = stream
  let numAccepted = 0
  stream.onconnection = (status, client) => {
    numAccepted++
    onconnection?.(status, client)
  }
  const clients: net.Socket[] = []
  t.after(() => {
    for (const client of clients) client.destroy()
    dealer.close()
    stream.close()
  })
  const open = async (count: number): Promise<void> => {
    const opened = Array.from({ length: count }, () => net.connect({ host: '127.0.0.1', port }))
    clients.push(...opened)
    await eventually('all are accepted', () => numAccepted === clients.length)
  }
  return { dealer, slots, clients, refused, open }
}

function childOf(slot: { current: FakeChild } | undefined): FakeChild {
  assert.ok(slot)
  return slot.current
}

describe('Dealer', () => {
  test(`has ${UNDER_WAY} connections on their way to a worker without waiting for it, and the others in their order as it takes them`, async (t) => {
    const { dealer, slots, open } = await start(t, 1)
    const child = childOf(slots[0])
    await open(UNDER_WAY + 10)
    const numBefore = child.ids.length

    for (const id of child.ids.slice(0, 10)) dealer.taken(id)

    assert.equal(numBefore, UNDER_WAY)
    assert.deepEqual(
      child.ids,
      Array.from({ length: UNDER_WAY + 10 }, (_, n) => n + 1),
    )
  })

  test('deals again what a worker had not taken when it died, whether it was on its way or waited', async (t) => {
    const { dealer, slots, open } = await start(t, 2)
    const [dead, alive] = [childOf(slots[0]), childOf(slots[1])]
    await open(2 * (UNDER_WAY + 5))
    const [taken, ...rest] = dead.ids
    assert.ok(taken !== undefined)
    dealer.taken(taken)
    const numBefore = alive.ids.length

    for (const slot of slots) if (slot.current === dead) slot.isReady = dead.isReady = false
    dealer.lost(dead as unknown as WorkerChild)
    // Those of the dead one come behind what waits for the other.
    for (const id of alive.ids) dealer.taken(id)

    assert.equal(numBefore, UNDER_WAY)
    assert.ok(!alive.ids.includes(taken))
    for (const id of rest) assert.ok(alive.ids.includes(id))
    assert.equal(new Set(alive.ids).size, 2 * (UNDER_WAY + 5) - 1)
    assert.equal(alive.ids.length, 2 * (UNDER_WAY + 5) - 1)
  })

  test('deals what waits for a worker that leaves to the one that takes its place', async (t) => {
    const { dealer, slots, open } = await start(t, 1)
    const [slot] = slots
    assert.ok(slot)
    const old = slot.current
    await open(UNDER_WAY + 5)

    old.isReady = false
    slot.current = new FakeChild()
    for (const id of old.ids) dealer.taken(id)

    assert.equal(old.ids.length, UNDER_WAY)
    assert.equal(slot.current.ids.length, 5)
  })

  test('deals a connection again that has not got there, and closes it when there is no room for it for long', async (t) => {
    const { dealer, slots, clients, refused, open } = await start(t, 1)
    const child = childOf(slots[0])
    await open(1)
    const [client] = clients
    assert.ok(client)
    const closed = once(client.resume(), 'close')

    child.misses[0]?.()
    await eventually('it is dealt again', () => child.ids.length === 2)
    const isOpen = !client.destroyed
    // What is said of an attempt that is over counts for nothing.
    for (let count = 2; count < 10; count++) {
      child.misses[count - 1]?.()
      child.misses[count - 1]?.()
      await eventually('it is dealt again', () => child.ids.length === count + 1)
    }
    child.misses[9]?.()
    await closed

    assert.equal(isOpen, true)
    assert.deepEqual(refused, ['a'])
    assert.equal(new Set(child.ids).size, 1)
    assert.equal(child.ids.length, 10)
    dealer.taken(1)
  })
})
