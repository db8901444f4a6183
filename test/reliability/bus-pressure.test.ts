import assert from 'node:assert/strict'
import { once } from 'node:events'
import type net from 'node:net'
import { type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { Client, childrenOf, closeAll, DaemonProcess, isRunning } from '../daemon-process.ts'
import { seriesOf } from '../e2e/admission-handlers.ts'
import { eventually, MIB, memoryOf, resetPeak } from './process-figures.ts'

// A line of the publisher: eight digits that count, then anything.
const LINE_BYTES = 8192
const TOTAL = 32 * MIB
const COUNT = TOTAL / LINE_BYTES
// Of the worker that publishes: what waits, what of it is garbage, and what a fresh worker grows by in any case.
const RSS_LIMIT = 24 * MIB

const WHERE = "this.daemon.worker.slot + ' ' + this.daemon.worker.pid"
const FILES = {
  'publish.js': `
import { TcpHandler } from 'polyport'
export default class Publish extends TcpHandler {
  onReceive(connection, message) {
    if (message.length === 5) connection.send(${WHERE})
    else this.daemon.publish('all', message)
  }
}`,
  // In the part of it that runs before it waits for anything.
  'async.js': `
import Publish from './publish.js'
export default class Later extends Publish {
  async onReceive(connection, message) { super.onReceive(connection, message); await null }
}`,
  'websocket.js': `
import { WebSocketHandler } from 'polyport'
export default class Publish extends WebSocketHandler {
  onMessage(connection, message) {
    if (message === 'where') connection.send(${WHERE})
    else this.daemon.publish('all', message)
  }
}`,
  'deliver.js': `
import Publish from './publish.js'
export default class Deliver extends Publish {
  onReceive(connection, message) {
    if (message.length > 5) this.daemon.processes.sink.send(message)
    super.onReceive(connection, message)
  }
}`,
  'sink.js': `
import { once } from 'node:events'
import { CustomProcess } from 'polyport'
export default class Sink extends CustomProcess {
  async run() { await once(this.signal, 'abort') }
  onMessage() {}
}`,
  'member.js': `
import { TcpHandler } from 'polyport'
export default class Member extends TcpHandler {
  onConnect(connection) { connection.join('all') }
  onReceive(connection) { connection.send(${WHERE}) }
}`,
}
const PORTS = [
  ...['publish', 'async'].map((name) => ({ name, protocol: 'tcp', port: 0, handler: `./${name}.js` })),
  { name: 'websocket', protocol: 'websocket', port: 0, handler: './websocket.js' },
  { name: 'member', protocol: 'tcp', port: 0, handler: './member.js', limits: { sendBuffer: 2 * TOTAL } },
]

interface Peer {
  readonly client: Client
  readonly slot: number
  readonly pid: number
}

async function ask(client: Client): Promise<Peer> {
  client.write('where\r\n')
  const [slot, pid] = (await client.until('\r\n')).trim().split(' ').map(Number)
  return { client, slot: slot as number, pid: pid as number }
}

/** One client of each worker. */
async function both(t: TestContext, daemon: DaemonProcess, port: string): Promise<[Peer, Peer]> {
  const where = await daemon.address(port)
  const peers: Peer[] = []
  for (const _ of [0, 1]) peers.push(await ask(await Client.open(where)))
  t.after(() => closeAll(peers.map(({ client }) => client)))
  const [zero, one] = peers.toSorted((a, b) => a.slot - b.slot)
  assert.ok(zero?.slot === 0 && one?.slot === 1)
  return [zero, one]
}

/** Counts the lines that a member gets from now on; they must be whole, and none may be missing. */
function follow({ client }: Peer): { received: number } {
  const seen = { received: 0 }
  let rest = Buffer.alloc(0)
  client.socket.removeAllListeners('data')
  client.socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    let at = 0
    for (; rest.length - at >= LINE_BYTES + 2; at += LINE_BYTES + 2) {
      assert.equal(Number(rest.toString('latin1', at, at + 8)), seen.received++)
    }
    rest = rest.subarray(at)
  })
  return seen
}

function lineOf(number: number): Buffer {
  const line = Buffer.alloc(LINE_BYTES, 'x')
  line.write(String(number).padStart(8, '0'))
  return line
}

function publishAll(socket: Pick<net.Socket, 'write'>): void {
  for (let number = 0; number < COUNT; number++) {
    socket.write(lineOf(number))
    socket.write('\r\n')
  }
}

function waitsOf(page: string, slot: number): number {
  return seriesOf(page, `polyport_bus_waits_total{worker="${slot}"}`)
}

function start(t: TestContext): Promise<DaemonProcess> {
  return DaemonProcess.start(t, { workers: 2, dispatch: 'round-robin', ports: PORTS }, { files: FILES })
}

function isHeldBack(daemon: DaemonProcess): Promise<void> {
  return eventually('the publisher waits', async () => waitsOf(await daemon.metrics(), 0) > 0)
}

/** The worker gets no turn from now on. */
function suspend(t: TestContext, pid: number): void {
  process.kill(pid, 'SIGSTOP')
  t.after(() => {
    if (isRunning(pid)) process.kill(pid, 'SIGCONT')
  })
}

/** Has a client of worker 0 publish everything. */
const PUBLISHERS: Readonly<Record<string, (t: TestContext, daemon: DaemonProcess) => Promise<() => void>>> = {
  publish: async (t, daemon) => {
    const [{ client }] = await both(t, daemon, 'publish')
    return () => publishAll(client.socket)
  },
  async: async (t, daemon) => {
    const [{ client }] = await both(t, daemon, 'async')
    return () => publishAll(client.socket)
  },
  websocket: async (t, daemon) => {
    const { host, port } = await daemon.address('websocket')
    for (;;) {
      const socket = new WebSocket(`ws://${host}:${port}/`)
      t.after(() => socket.terminate())
      await once(socket, 'open')
      socket.send('where')
      const [answer] = (await once(socket, 'message')) as [Buffer]
      if (answer.toString().startsWith('0 '))
        return () => {
          for (let number = 0; number < COUNT; number++) socket.send(lineOf(number))
        }
    }
  },
}

for (const [port, prepare] of Object.entries(PUBLISHERS)) {
  test(`who sends to a worker that has no turn is not read meanwhile, and loses nothing; others are served: ${port}`, async (t) => {
    const daemon = await start(t)
    const [here, there] = await both(t, daemon, 'member')
    const [bystander] = await both(t, daemon, 'publish')
    const publish = await prepare(t, daemon)
    const local = follow(here)
    const remote = follow(there)
    const before = memoryOf(here.pid).rss
    resetPeak(here.pid)

    suspend(t, there.pid)
    publish()
    await isHeldBack(daemon)
    const numLocal = local.received
    bystander.client.received = Buffer.alloc(0)
    await ask(bystander.client)
    const growth = memoryOf(here.pid).peak - before
    process.kill(there.pid, 'SIGCONT')
    await eventually('everything has come', () => local.received === COUNT && remote.received === COUNT)

    t.diagnostic(`${numLocal} of ${COUNT} published at first; memory of the worker grew by ${(growth / MIB).toFixed(1)} MiB`)
    assert.ok(numLocal < COUNT / 2, `${numLocal} were published`)
    assert.ok(growth <= RSS_LIMIT, `${growth / MIB} MiB`)
    assert.match(await daemon.metrics(), /^polyport_bus_messages_dropped_total 0$/m)
  })
}

test('who waits for a worker goes on when that one is killed', async (t) => {
  const daemon = await start(t)
  const [here, there] = await both(t, daemon, 'member')
  const publish = await (PUBLISHERS['publish'] as (typeof PUBLISHERS)[string])(t, daemon)
  const local = follow(here)

  suspend(t, there.pid)
  publish()
  await isHeldBack(daemon)
  process.kill(there.pid, 'SIGKILL')

  await eventually('everything has come', () => local.received === COUNT)
})

test('who waits for a process moves at a reload, and goes on from there', async (t) => {
  const ports = PORTS.map((port) => (port.name === 'publish' ? { ...port, handler: './deliver.js' } : port))
  const daemon = await DaemonProcess.start(t, { workers: 1, ports, processes: { sink: { module: './sink.js' } } }, { files: FILES })
  const member = await ask(await Client.open(await daemon.address('member')))
  const publisher = await ask(await Client.open(await daemon.address('publish')))
  t.after(() => closeAll([member.client, publisher.client]))
  const local = follow(member)
  const [sink] = childrenOf(daemon.pid).filter((pid) => pid !== member.pid)
  assert.ok(sink)

  suspend(t, sink)
  publishAll(publisher.client.socket)
  await isHeldBack(daemon)
  daemon.child.kill('SIGHUP')

  await eventually('everything has come', () => local.received === COUNT)
})
