import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { childrenOf, DaemonProcess } from '../daemon-process.ts'
import { FILES, PORTS } from './handlers.ts'
import { cpuSecondsOf, descriptorsOf, eventually, KIB, MIB, memoryOf, proportionalOf, sleep } from './process-figures.ts'

// 10,000 for the figure of the documentation.
const NUM_IDLE = Number(process.env['POLYPORT_TEST_IDLE'] ?? 2000)
const NUM_CONNECTS = 10_000
const NUM_RESTING = 3000
const NUM_AT_ONCE = 50
const IDLE_CPU_MS = 10_000
const IDLE_CPU_LIMIT = 0.005
const IDLE_MEMORY_LIMIT = 60 * MIB
// 60 with some room: how much of Node's own file is resident depends on the kernel and on the length of paths.
const IDLE_WORKER_RSS_LIMIT = 64 * MIB
const HANDSHAKE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n'
// Of one connection in the worker, in KiB, at 10,000. With fewer, what is not theirs weighs more: 7 MiB of what V8 compiles with, for one.
const KINDS = [
  { name: 'tcp', hello: 'hello\r\n', limit: 6 },
  { name: 'http', hello: 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', limit: 12 },
  { name: 'ws', hello: `GET / HTTP/1.1\r\nHost: x\r\n${HANDSHAKE}\r\n`, limit: 12 },
]
const ALLOWANCE = NUM_IDLE < 10_000 ? 2 : 1
// V8's young generation grows once, by up to 100 MiB, whatever is open: kept small, what connections cost can be seen.
const SMALL_YOUNG_GENERATION = { NODE_OPTIONS: '--max-semi-space-size=2' }
const ALL_FILES = {
  ...FILES,
  // What waits to be collected is no one's: it goes before anything is measured.
  'gc.js': `
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { TcpHandler } from 'polyport'
setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc')
export default class Collector extends TcpHandler { onReceive(connection) { gc(); gc(); connection.send('collected') } }`,
}
const ALL_PORTS = [...PORTS, { name: 'gc', protocol: 'tcp', port: 0, handler: './gc.js' }]

function workerOf(daemon: DaemonProcess): number {
  const [pid] = childrenOf(daemon.pid)
  assert.ok(pid)
  return pid
}

/** Connects, says hello and waits for the answer. */
async function open(where: { host: string; port: number }, hello: string): Promise<net.Socket> {
  const socket = net.connect(where)
  socket.on('error', () => {})
  socket.write(hello)
  await once(socket, 'data')
  return socket
}

/** What the worker needs after it has collected its garbage. */
async function measure(daemon: DaemonProcess): Promise<{ rss: number; anon: number; descriptors: number }> {
  const pid = workerOf(daemon)
  const socket = await open(await daemon.address('gc'), 'now\r\n')
  socket.destroy()
  await noneOpen(daemon, 'gc')
  return { ...memoryOf(pid), descriptors: descriptorsOf(pid) }
}

function noneOpen(daemon: DaemonProcess, name: string): Promise<void> {
  const isClosed = async (): Promise<boolean> => (await daemon.status()).ports.some((port) => port.name === name && port.connections === 0)
  return eventually(`all connections of ${name} are closed`, isClosed, 10_000)
}

/** Opens connections, `NUM_AT_ONCE` at a time. */
async function openMany(count: number, one: () => Promise<net.Socket>): Promise<net.Socket[]> {
  const sockets: net.Socket[] = []
  let left = count
  await Promise.all(
    Array.from({ length: NUM_AT_ONCE }, async () => {
      while (left-- > 0) sockets.push(await one())
    }),
  )
  return sockets
}

for (const { name, hello, limit } of KINDS) {
  test(`an idle ${name} connection costs at most ${limit} KiB`, async (t) => {
    const daemon = await DaemonProcess.start(t, { ports: ALL_PORTS }, { files: ALL_FILES, env: SMALL_YOUNG_GENERATION })
    const where = await daemon.address(name)
    for (const socket of await openMany(300, () => open(where, hello))) socket.destroy()
    await noneOpen(daemon, name)
    const before = await measure(daemon)

    const sockets = await openMany(NUM_IDLE, () => open(where, hello))
    const after = await measure(daemon)
    const each = (key: 'rss' | 'anon'): number => (after[key] - before[key]) / NUM_IDLE / KIB
    t.diagnostic(`${NUM_IDLE} connections: ${each('rss').toFixed(2)} KiB of VmRSS and ${each('anon').toFixed(2)} KiB of RssAnon each`)
    assert.equal(sockets.filter((socket) => socket.destroyed || socket.readableEnded).length, 0, 'one was closed')
    assert.ok(each('rss') <= limit * ALLOWANCE, `${each('rss')} KiB each`)
    ;(await open(where, hello)).destroy()
    for (const socket of sockets) socket.destroy()
    await noneOpen(daemon, name)
  })
}

test(`${NUM_CONNECTS} connections leave nothing behind`, async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: ALL_PORTS }, { files: ALL_FILES, env: SMALL_YOUNG_GENERATION })
  const where = await daemon.address('tcp')
  const round = async (): Promise<{ rss: number; descriptors: number }> => {
    for (const socket of await openMany(NUM_CONNECTS, async () => (await open(where, 'hello\r\n')).resetAndDestroy())) assert.ok(socket.destroyed)
    await noneOpen(daemon, 'tcp')
    return measure(daemon)
  }
  const before = await measure(daemon)
  const first = await round()
  const second = await round()

  const mebibytes = [first, second].map(({ rss }) => ((rss - before.rss) / MIB).toFixed(1))
  t.diagnostic(`descriptors ${before.descriptors}, then ${second.descriptors}; resident memory in MiB more after one round and two: ${mebibytes.join(', ')}`)
  assert.ok(second.descriptors - before.descriptors <= 8)
  assert.ok(first.rss - before.rss <= 96 * MIB)
  assert.ok(second.rss - first.rss <= 5 * MIB, `the second round left ${(second.rss - first.rss) / MIB} MiB`)
})

test('a worker that has nothing to do gives back what connections have left behind', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: PORTS }, { files: FILES })
  const where = await daemon.address('http')
  const sockets = await openMany(NUM_RESTING, () => open(where, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
  t.after(() => sockets.forEach((socket) => void socket.destroy()))
  const pid = workerOf(daemon)
  const { rss } = memoryOf(pid)

  await eventually('the worker has 4 MiB less', () => memoryOf(pid).rss <= rss - 4 * MIB, 10_000)

  assert.ok(sockets.every((socket) => !socket.destroyed))
})

test('an idle daemon uses next to no CPU, and little memory', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: FILES })
  const pids = [daemon.pid, ...childrenOf(daemon.pid)]
  // What a start leaves to do.
  await sleep(4000)
  const before = pids.map(cpuSecondsOf)
  await sleep(IDLE_CPU_MS)
  const seconds = pids.reduce((sum, pid, i) => sum + cpuSecondsOf(pid) - (before[i] ?? 0), 0)
  const share = seconds / (IDLE_CPU_MS / 1000)
  const memory = pids.map((pid) => [memoryOf(pid).rss, memoryOf(pid).anon, proportionalOf(pid)].map((bytes) => (bytes / MIB).toFixed(0)))

  t.diagnostic(`${(share * 100).toFixed(2)} % of a core for master and 2 workers; VmRSS, RssAnon, Pss of each in MiB: ${memory.join('; ')}`)
  assert.ok(share < IDLE_CPU_LIMIT, `the daemon used ${share * 100} % of a core`)
  for (const pid of pids) assert.ok(proportionalOf(pid) <= IDLE_MEMORY_LIMIT, `one has ${proportionalOf(pid) / MIB} MiB`)
  for (const pid of pids.slice(1)) assert.ok(memoryOf(pid).rss <= IDLE_WORKER_RSS_LIMIT, `a worker has ${memoryOf(pid).rss / MIB} MiB of VmRSS`)
})
