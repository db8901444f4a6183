import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { EventEmitter, once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { PortCounters } from '../../src/metrics/port-counters.ts'
import { DatagramListener, type DatagramSocket } from '../../src/net/datagram-listener.ts'
import type { Port } from '../../src/net/port.ts'

async function listen(
  t: TestContext,
  onPacket: () => unknown,
): Promise<{ listener: DatagramListener; port: number; counters: PortCounters; failures: unknown[] }> {
  const socket = dgram.createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  const counters = new PortCounters()
  const failures: unknown[] = []
  const listener = new DatagramListener({ counters, handler: { onPacket }, failed: (error: unknown) => failures.push(error) } as unknown as Port, socket)
  t.after(() => listener.destroy())
  return { listener, port, counters, failures }
}

test('DatagramListener.destroy() may be called again, as a drain does that is over; what is sent then is counted as dropped', async (t) => {
  const { listener, port, counters } = await listen(t, () => {})

  listener.destroy()
  listener.destroy()
  listener.send('late', port, '127.0.0.1')

  assert.equal(counters.dropped, 1)
})

test('DatagramListener takes whatever onPacket returns that is no promise for done', async (t) => {
  const done = Promise.withResolvers<void>()
  const { port, failures } = await listen(t, () => {
    setImmediate(done.resolve)
    return null
  })
  const client = dgram.createSocket('udp4')
  t.after(() => client.close())

  client.send('hi', port, '127.0.0.1')
  await done.promise

  assert.deepEqual(failures, [])
})

for (const size of [60_000, 0]) {
  test(`DatagramListener drops and counts datagrams of ${size} bytes while 64 MiB wait for promises of onPacket`, async () => {
    const counters = new PortCounters()
    const pending: PromiseWithResolvers<void>[] = []
    const warnings: unknown[] = []
    const handler = {
      onPacket(): Promise<void> {
        const promise = Promise.withResolvers<void>()
        pending.push(promise)
        return promise.promise
      },
    }
    const log = { warn: (...args: unknown[]) => warnings.push(args) }
    const socket = new EventEmitter()
    new DatagramListener({ counters, handler, log, settle: (result: unknown) => result } as unknown as Port, socket as unknown as DatagramSocket)
    const packet = Buffer.alloc(size)
    const taken = Math.ceil((64 * 1024 * 1024) / (size + 1024))
    const receive = (count: number): void => {
      for (let i = 0; i < count; i++) socket.emit('message', packet, { address: '127.0.0.1', port: 1 })
    }

    receive(taken + 10)
    assert.deepEqual([pending.length, counters.messagesIn, counters.dropped, warnings.length], [taken, taken, 10, 1])
    for (const { resolve } of pending.splice(0)) resolve()
    await new Promise((resolve) => setImmediate(resolve))
    receive(taken + 5)

    assert.deepEqual([pending.length, counters.dropped, warnings.length], [taken, 15, 2])
  })
}

test('DatagramListener drops and counts what is sent while 64 MiB wait for the kernel to take them', () => {
  const counters = new PortCounters()
  let waiting = 0
  const socket = Object.assign(new EventEmitter(), { send: (data: Buffer) => void (waiting += data.length), getSendQueueSize: () => waiting })
  const listener = new DatagramListener({ counters } as unknown as Port, socket as unknown as DatagramSocket)
  const packet = Buffer.alloc(60_000)
  const taken = Math.ceil((64 * 1024 * 1024) / packet.length)

  for (let i = 0; i < taken + 10; i++) listener.send(packet, 1, '127.0.0.1')
  const { dropped } = counters
  waiting = 0
  listener.send(packet, 1, '127.0.0.1')

  assert.deepEqual([dropped, counters.dropped, counters.messagesOut, counters.bytesOut], [10, 10, taken + 1, (taken + 1) * packet.length])
})
