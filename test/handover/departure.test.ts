import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import { Arrivals } from '../../src/handover/arrivals.ts'
import { Departure } from '../../src/handover/departure.ts'
import type { Bus } from '../../src/ipc/bus.ts'
import type { BusMessage, LeaveOrder } from '../../src/ipc/messages.ts'
import { createLog } from '../../src/log/log.ts'
import type { Movable } from '../../src/net/movable.ts'
import { identityOf, type StreamHandle, streamHandleOf } from '../../src/net/node-internals.ts'

const log = createLog({ level: 'silent', format: 'json', name: 'test', role: 'test' })
const NOTHING = { fd: 0, name: '', except: [], payload: undefined }

/** A bus with these processes on it, that notes what it is told. */
function noted(...there: readonly number[]): { bus: Bus; told: unknown[] } {
  const told: unknown[] = []
  const tell = (owner: number, { kind, fd }: BusMessage): boolean => told.push([owner, kind, fd]) > 0
  return {
    bus: { tell, has: (owner: number) => there.includes(owner), isMarked: () => true, fence: () => new Set(), seen: () => new Map() } as unknown as Bus,
    told,
  }
}

function orderTo(owner: number): LeaveOrder {
  return { heirs: [{ owner, slot: 0 }], ports: ['p'], movesSeconds: 10, maxWaitSeconds: 1, spreadSeconds: 0 }
}

/** The handle of a connection, and its client. */
async function pair(t: TestContext): Promise<{ handle: StreamHandle; client: net.Socket }> {
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  const client = net.connect((await once(server, 'listening').then(() => server.address() as net.AddressInfo)).port, '127.0.0.1')
  const [socket] = (await once(server, 'connection')) as [net.Socket]
  server.close()
  t.after(() => {
    client.destroy()
    socket.destroy()
  })
  const handle = streamHandleOf(socket)
  assert.ok(handle)
  return { handle, client }
}

test('Departure has an heir let go of a connection that has been given another one meanwhile', async (t) => {
  const { bus, told } = noted(2, 3)
  const { handle } = await pair(t)
  const calls: string[] = []
  const movable: Movable = {
    fd: 7,
    handle,
    standing: { ticket: undefined, silentMs: 0 },
    halt: () => void calls.push('halt'),
    goOn: () => void calls.push('goOn'),
    state: () => undefined,
    letGo: () => {},
  }
  const given: unknown[] = []
  const departure = new Departure({
    ports: [{ name: 'p', movables: () => [movable] }],
    bus,
    owner: 1,
    log,
    give: ({ id, to }) => given.push([id, to]),
    onLost: () => {},
    onLeft: () => {},
  })
  t.after(() => departure.stop())

  departure.start(orderTo(2))
  departure.start(orderTo(3))
  departure.receive({ ...NOTHING, kind: 'held', fd: 1 }, 2)

  assert.deepEqual(given, [
    [1, 2],
    [2, 3],
  ])
  assert.deepEqual(calls, ['halt', 'goOn', 'halt'])
  assert.deepEqual(told, [[2, 'refused', 1]])
})

test('Departure gives no connection away before all workers have what it has published here', async (t) => {
  const { bus, told } = noted(2, 3, 4)
  const { handle } = await pair(t)
  const asked: unknown[] = []
  const fence = (id: number): Set<number> => {
    asked.push(id)
    return new Set([2, 3, 4])
  }
  const movable: Movable = {
    fd: 7,
    handle,
    standing: { ticket: undefined, silentMs: 0 },
    halt: () => void asked.push('halt'),
    goOn: () => {},
    state: () => ({ kind: 'http', isNew: true, peer: { address: '', port: 0 } }),
    letGo: () => {},
  }
  const departure = new Departure({
    ports: [{ name: 'p', movables: () => [movable] }],
    bus: Object.assign(bus, { fence }),
    owner: 1,
    log,
    give: () => {},
    onLost: () => {},
    onLeft: () => {},
  })
  t.after(() => departure.stop())

  departure.start(orderTo(2))
  assert.deepEqual(asked, ['halt', 1])
  departure.receive({ ...NOTHING, kind: 'held', fd: 1 }, 2)
  departure.receive({ ...NOTHING, kind: 'passed', fd: 1 }, 2)
  departure.receive({ ...NOTHING, kind: 'passed', fd: 1 }, 3)
  assert.deepEqual(told, [])
  departure.receive({ ...NOTHING, kind: 'passed', fd: 1 }, 4)
  assert.deepEqual(told, [[2, 'state', 1]])
})

test('Arrivals holds no connection of a worker that is gone: its client would wait for ever', async (t) => {
  const { bus, told } = noted(2)
  const { handle, client } = await pair(t)
  const arrivals = new Arrivals({ bus, log, listener: () => ({ takeOver: () => {} }) as never, replay: () => {}, onTaken: () => {} })

  arrivals.hold({ id: 5, from: 1, to: 9, port: 'p', identity: identityOf(handle) }, handle)
  client.resume()
  await once(client, 'close')

  assert.deepEqual(told, [[1, 'refused', 5]])
})
