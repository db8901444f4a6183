import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, childrenOf, closeAll, DaemonProcess, kill } from '../daemon-process.ts'
import { FILES, PORTS } from './handlers.ts'
import { cpuSecondsOf, eventually, sleep } from './process-figures.ts'

const MAX_DESCRIPTORS = 256
const NUM_CLIENTS = 400
const WATCH_MS = 3000
// Of one core, as a share.
const CPU_LIMIT = 0.2

/** Connections that were refused as there was no descriptor for them. */
async function refusals(daemon: DaemonProcess): Promise<number> {
  return Number(/polyport_connections_refused_total\{port="tcp",reason="error"\} (\d+)/.exec(await daemon.metrics())?.[1])
}

async function rests(daemon: DaemonProcess): Promise<number> {
  return Number(/polyport_accept_rests_total\{port="tcp"\} (\d+)/.exec(await daemon.metrics())?.[1])
}

function pingAll(clients: readonly Client[]): void {
  for (const client of clients) {
    client.received = Buffer.alloc(0)
    client.write('ping\r\n')
  }
}

for (const workers of [1, 2]) {
  test(`out of descriptors, ${workers} workers: the rest waits, nothing ends or is busy, and it goes on when some close`, async (t) => {
    const daemon = await DaemonProcess.start(t, { workers, ports: PORTS }, { files: FILES, maxDescriptors: MAX_DESCRIPTORS })
    const pids = childrenOf(daemon.pid)
    const where = await daemon.address('tcp')
    const clients = Array.from({ length: NUM_CLIENTS * workers }, () => new Client(where))
    t.after(() => {
      for (const { socket } of clients) socket.destroy()
    })
    pingAll(clients)
    await eventually('it stops accepting', async () => (await rests(daemon)) > 0)
    const numAnswered = (): number => clients.filter(({ text }) => text === 'ping\r\n').length
    await eventually('each worker has as many as it can', () => numAnswered() > (MAX_DESCRIPTORS * workers) / 2)
    await sleep(500)
    const answered = clients.filter(({ text }) => text === 'ping\r\n')
    const cpuBefore = pids.map(cpuSecondsOf)
    await sleep(WATCH_MS)
    const shares = pids.map((pid, i) => (cpuSecondsOf(pid) - (cpuBefore[i] ?? 0)) / (WATCH_MS / 1000))

    t.diagnostic(
      `answered at the limit: ${answered.length} of ${clients.length}; CPU of each worker: ${shares.map((share) => `${(share * 100).toFixed(1)} %`).join(', ')}`,
    )
    assert.ok(answered.length > (MAX_DESCRIPTORS * workers) / 2 && answered.length < MAX_DESCRIPTORS * workers, `${answered.length} were answered`)
    for (const share of shares) assert.ok(share < CPU_LIMIT, `a worker used ${share * 100} % of a core`)
    assert.deepEqual(childrenOf(daemon.pid), pids)
    assert.equal(clients.filter(({ socket }) => socket.destroyed).length, 0, 'a connection was cut')
    // A page and a status can still be had.
    assert.equal((await daemon.status()).state, 'ready')
    pingAll(answered)
    await Promise.all(answered.map((client) => client.until('ping\r\n')))

    for (const { socket } of answered) socket.destroy()
    const waiting = clients.filter((client) => !answered.includes(client))
    // They are more than fit at once: each makes room for another.
    await Promise.all(waiting.map((client) => client.until('ping\r\n').then(() => client.socket.destroy())))
    assert.deepEqual(childrenOf(daemon.pid), pids)
  })
}

test('out of descriptors with dealt connections: what does not fit is refused, nothing ends', async (t) => {
  const daemon = await DaemonProcess.start(t, { dispatch: 'round-robin', ports: PORTS }, { files: FILES, maxDescriptors: MAX_DESCRIPTORS })
  const pids = childrenOf(daemon.pid)
  const where = await daemon.address('tcp')
  const clients = Array.from({ length: NUM_CLIENTS }, () => new Client(where))
  t.after(() => {
    for (const { socket } of clients) socket.destroy()
  })
  pingAll(clients)
  const count = (holds: (client: Client) => boolean): number => clients.filter(holds).length
  const answered = (client: Client): boolean => client.text === 'ping\r\n'
  await eventually('each is answered or refused', () => count((client) => answered(client) || client.socket.destroyed) === NUM_CLIENTS)

  const numRefused = await refusals(daemon)
  // Of a burst, libuv closes what the master has no descriptor for, without a word.
  assert.ok(numRefused > 0 && numRefused <= NUM_CLIENTS - count(answered), `${numRefused} refusals were counted`)
  assert.ok(count(answered) > MAX_DESCRIPTORS / 2)
  assert.deepEqual(childrenOf(daemon.pid), pids)
  for (const { socket } of clients) socket.destroy()
  await eventually('it serves again', async () => {
    const client = new Client(where)
    client.write('ping\r\n')
    return client.until('ping\r\n').then(
      () => true,
      () => false,
    )
  })
})

test('a master that holds connections for a worker that is stuck has descriptors left to start another in its place', async (t) => {
  const daemon = await DaemonProcess.start(t, { dispatch: 'round-robin', ports: PORTS }, { files: FILES, maxDescriptors: MAX_DESCRIPTORS })
  const where = await daemon.address('tcp')
  const [stuck] = (await daemon.status()).workers
  assert.ok(stuck)
  process.kill(stuck.pid, 'SIGSTOP')
  const clients = Array.from({ length: NUM_CLIENTS }, () => new Client(where))
  t.after(() => closeAll(clients))
  await eventually('it holds as many as it can', () => clients.some(({ socket }) => socket.destroyed))
  assert.ok((await refusals(daemon)) > 0, 'what the master closes is counted')
  const numReady = (): number => daemon.lines.filter((line) => line.includes('"Worker ready"')).length
  const before = numReady()
  kill(stuck.pid)

  await eventually('another has its place', () => numReady() > before, 10_000)
  pingAll(clients)
  await eventually('who was held is served', () => clients.filter(({ text }) => text === 'ping\r\n').length > MAX_DESCRIPTORS / 2)
})
