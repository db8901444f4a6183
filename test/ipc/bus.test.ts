import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { Bus } from '../../src/ipc/bus.ts'
import { encodeBusMessage } from '../../src/ipc/bus-codec.ts'
import type { BusMessage } from '../../src/ipc/messages.ts'
import { createLog } from '../../src/log/log.ts'

const MIB = 1024 * 1024
const MESSAGE: BusMessage = { kind: 'publish', fd: 0, name: 'all', except: [], payload: Buffer.alloc(MIB) }
const OTHER = { role: 'worker', index: 1, owner: 2, heirs: [], isLeaving: false } as const

/** A bus with one other worker, which reads nothing until it is told to. */
async function start(t: TestContext): Promise<{ bus: Bus; other: Socket }> {
  const dir = mkdtempSync(join(tmpdir(), 'polyport-bus-'))
  const server = createServer({ pauseOnConnect: true }).listen(join(dir, 'other.sock'))
  const log = createLog({ level: 'fatal', format: 'json', name: 'test', role: 'test' })
  const bus = new Bus({ path: join(dir, 'bus.sock'), owner: 1, log, onMessage: () => {} })
  const connected = once(server, 'connection')
  bus.setPeers([{ ...OTHER, bus: join(dir, 'other.sock') }])
  const [other] = (await connected) as [Socket]
  t.after(() => {
    bus.stop()
    other.destroy()
    server.close()
    rmSync(dir, { recursive: true, force: true })
  })
  return { bus, other }
}

describe('Bus', () => {
  test('pressure.late grows once more than 4 MiB wait, those of the present turn among them', async (t) => {
    const { bus } = await start(t)

    for (let count = 0; count < 4; count++) bus.sendToAll(MESSAGE)
    const before = bus.pressure.late
    for (let count = 0; count < 3; count++) bus.sendToAll(MESSAGE)

    assert.equal(before, 0)
    assert.ok(bus.pressure.late > 0)
  })

  test('pressure.caughtUp() resolves when all has been taken', async (t) => {
    const { bus, other } = await start(t)
    for (let count = 0; count < 8; count++) bus.sendToAll(MESSAGE)
    const caughtUp = bus.pressure.caughtUp(0, {})
    const wasUnsent = bus.hasUnsent
    other.resume()
    await caughtUp

    assert.equal(wasUnsent, true)
    assert.equal(bus.hasUnsent, false)
  })

  test('pressure.caughtUp() resolves when the other process ends, is no longer known, or who waits is woken', async (t) => {
    const one = await start(t)
    for (let count = 0; count < 8; count++) one.bus.sendToAll(MESSAGE)
    const who = {}
    const woken = one.bus.pressure.caughtUp(0, who)
    one.bus.pressure.wake(who)
    await woken
    const gone = one.bus.pressure.caughtUp(0, who)
    one.bus.setPeers([])
    await gone
    const two = await start(t)
    for (let count = 0; count < 8; count++) two.bus.sendToAll(MESSAGE)
    const ended = two.bus.pressure.caughtUp(0, who)
    two.other.destroy()
    await ended
  })

  test('who was not late does not wait', async (t) => {
    const { bus } = await start(t)
    for (let count = 0; count < 8; count++) bus.sendToAll(MESSAGE)

    await bus.pressure.caughtUp(bus.pressure.late, {})
  })

  test('messages are dropped and counted when 64 MiB wait, also within one turn', async (t) => {
    const { bus } = await start(t)

    for (let count = 0; count < 100; count++) bus.sendToAll(MESSAGE)

    assert.ok(bus.dropped > 30 && bus.dropped <= 100 - 64, `${bus.dropped} of 100`)
    assert.ok(bus.backlog(2) <= 66 * MIB)
  })

  test('what an heir remembers is bounded also where messages are short', async (t) => {
    const { bus } = await start(t)
    bus.setPeers([{ ...OTHER, bus: '', heirs: [1] }])

    for (let count = 0; count < 500_000; count++) bus.send(1, { kind: 'send', fd: 1, name: '', except: [], payload: 'x' })

    assert.ok(bus.recent.length < 340_000, `${bus.recent.length} messages`)
  })

  test('a process that could not be reached is tried again, as long as it is there', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'polyport-bus-'))
    const log = createLog({ level: 'silent', format: 'json', name: 'test', role: 'test' })
    const { promise: received, resolve } = Promise.withResolvers<string>()
    const receiver = new Bus({ path: join(dir, 'receiver.sock'), owner: 2, log, onMessage: ({ name }) => resolve(name) })
    const sender = new Bus({ path: join(dir, 'sender.sock'), owner: 1, log, onMessage: () => {} })
    // As when no descriptor is left.
    sender.setPeers([{ ...OTHER, bus: join(dir, 'receiver.sock') }])
    await new Promise(setImmediate)
    await receiver.start()
    const timer = setInterval(() => sender.sendToAll({ ...MESSAGE, payload: 'x' }), 10)
    t.after(() => {
      clearInterval(timer)
      sender.stop()
      receiver.stop()
      rmSync(dir, { recursive: true, force: true })
    })

    assert.equal(await received, MESSAGE.name)
  })

  test('what a receiver throws ends nothing, and what comes behind is received once', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'polyport-bus-'))
    const received: string[] = []
    const failures: string[] = []
    const { promise: last, resolve } = Promise.withResolvers<void>()
    const log = {
      ...createLog({ level: 'silent', format: 'json', name: 'test', role: 'test' }),
      error: (_: object, text: string) => failures.push(text),
    } as never
    const onMessage = ({ name }: BusMessage): void => {
      received.push(name)
      if (name === 'last') resolve()
      throw new Error('on purpose')
    }
    const receiver = new Bus({ path: join(dir, 'receiver.sock'), owner: 2, log, onMessage })
    const sender = new Bus({ path: join(dir, 'sender.sock'), owner: 1, log, onMessage: () => {} })
    t.after(() => {
      sender.stop()
      receiver.stop()
      rmSync(dir, { recursive: true, force: true })
    })
    await receiver.start()
    sender.setPeers([{ ...OTHER, bus: join(dir, 'receiver.sock') }])

    for (const name of ['one', 'two', 'last']) sender.sendToAll({ ...MESSAGE, name, payload: 'x' })
    await last

    assert.deepEqual(received, ['one', 'two', 'last'])
    assert.deepEqual(failures, Array(3).fill('A message of another process could not be handled'))
  })

  test('of processes that are gone it knows the last thousand', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'polyport-bus-'))
    const log = createLog({ level: 'fatal', format: 'json', name: 'test', role: 'test' })
    const { promise: all, resolve } = Promise.withResolvers<void>()
    const bus = new Bus({ path: join(dir, 'bus.sock'), owner: 1, log, onMessage: (_, { owner }) => owner === 4000 && resolve() })
    await bus.start()
    const socket = connect(join(dir, 'bus.sock'))
    t.after(() => {
      socket.destroy()
      bus.stop()
      rmSync(dir, { recursive: true, force: true })
    })
    for (let owner = 2; owner <= 4000; owner++) {
      const bytes = encodeBusMessage({ ...MESSAGE, payload: 'x' }, { owner, sequence: owner })
      const length = Buffer.alloc(4)
      length.writeUInt32LE(bytes.length)
      socket.write(Buffer.concat([length, bytes]))
    }
    await all

    bus.setPeers([{ ...OTHER, bus: join(dir, 'other.sock') }])

    const seen = bus.seen()
    assert.equal(seen.size, 1002)
    assert.deepEqual([seen.get(1), seen.get(2), seen.get(3000), seen.get(3001)], [0, 2, undefined, 3001])
  })
})
