import assert from 'node:assert/strict'
import { test } from 'node:test'
import { childrenOf, DaemonProcess } from '../daemon-process.ts'
import { LossMeter } from './loss-meter.ts'
import { descriptorsOf, eventually, MIB, memoryOf, sleep } from './process-figures.ts'

const NUM_CLIENTS = 6
const NUM_KILLS = 6
// 50 kills in all. More rounds would wait for the delay that grows while a worker keeps dying.
const NUM_SLOTS = 10
const NUM_ROUNDS = 5
const BACK_LIMIT_MS = 1500
const MASTER_GROWTH_LIMIT = 10 * MIB

const FILES = {
  'tcp.js': `
import { TcpHandler } from 'polyport'
export default class Who extends TcpHandler { onReceive(connection) { connection.send(String(this.daemon.worker.slot)) } }`,
  'http.js': `
import { HttpHandler } from 'polyport'
export default class Who extends HttpHandler { onRequest(request, response) { response.end(String(this.daemon.worker.slot)) } }`,
  'ws.js': `
import { WebSocketHandler } from 'polyport'
export default class Who extends WebSocketHandler { onMessage(connection) { connection.send(String(this.daemon.worker.slot)) } }`,
}
const PORTS = [
  { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js' },
  { name: 'http', protocol: 'http', port: 0, handler: './http.js' },
  { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js' },
]

/** Kills the worker of a slot and returns how long it took until the next one listened. */
async function kill(daemon: DaemonProcess, slot: number): Promise<number> {
  const { workers } = await daemon.status()
  const victim = workers[slot]
  assert.ok(victim)
  // Not by asking for the status: that waits for the worker that does not answer.
  const numReady = (): number => daemon.lines.filter((line) => line.includes('"msg":"Worker ready"') && line.includes(`"worker":${slot},`)).length
  const before = numReady()
  const start = performance.now()
  process.kill(victim.pid, 'SIGKILL')
  await eventually(`worker ${slot} is back`, () => numReady() > before)
  return performance.now() - start
}

for (const dispatch of ['kernel', 'round-robin']) {
  test(`kill -9 of workers under load, dispatch ${dispatch}: the others lose nothing and nobody hangs`, async (t) => {
    const daemon = await DaemonProcess.start(t, { workers: 2, dispatch, ports: PORTS }, { files: FILES })
    const meter = new LossMeter()
    const [tcp, web, ws] = await Promise.all(['tcp', 'http', 'ws'].map((name) => daemon.address(name)))
    assert.ok(tcp && web && ws)
    meter.start({ tcp, http: web, ws }, NUM_CLIENTS)
    await sleep(500)
    const backMs: number[] = []
    let numForOthers = 0
    for (let round = 0; round < NUM_KILLS; round++) {
      const slot = round % 2
      const other = 1 - slot
      const before = meter.lost.get(other) ?? 0
      backMs.push(await kill(daemon, slot))
      numForOthers += (meter.lost.get(other) ?? 0) - before
      await sleep(300)
    }
    await meter.stop()

    t.diagnostic(
      `${meter.numAnswered} answered; ${meter.numLost} persistent connections of killed workers ended, ${numForOthers} of others; ` +
        `${meter.numReset} fresh ones reset; ${meter.hung} hung; back after ${backMs.map((ms) => ms.toFixed(0)).join(', ')} ms`,
    )
    assert.ok(meter.numAnswered > 500)
    assert.ok(meter.numLost > 0, 'the killed workers had no connection: this run shows nothing')
    assert.equal(numForOthers, 0)
    assert.equal(meter.hung, 0)
    assert.ok(meter.numLost <= 3 * NUM_CLIENTS * NUM_KILLS)
    // The first of each: workers that die again within seconds are held back on purpose.
    for (const ms of backMs.slice(0, 2)) assert.ok(ms <= BACK_LIMIT_MS, `a worker was back after ${ms} ms`)
  })
}

test('50 kills leave nothing behind in the master', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: NUM_SLOTS, ports: PORTS }, { files: FILES })
  const allReady = async (): Promise<boolean> => (await daemon.status()).workers.every(({ state }) => state === 'ready')
  await daemon.metrics()
  const descriptors = descriptorsOf(daemon.pid)
  const { rss } = memoryOf(daemon.pid)
  for (let round = 0; round < NUM_ROUNDS; round++) {
    for (const pid of childrenOf(daemon.pid)) process.kill(pid, 'SIGKILL')
    await eventually('every worker is back', async () => childrenOf(daemon.pid).length === NUM_SLOTS && (await allReady()), 20_000)
  }
  await daemon.metrics()
  const growth = memoryOf(daemon.pid).rss - rss

  t.diagnostic(`descriptors ${descriptors} and then ${descriptorsOf(daemon.pid)}; resident memory ${(growth / MIB).toFixed(1)} MiB more`)
  await eventually('the descriptors are as many as before', () => descriptorsOf(daemon.pid) === descriptors)
  assert.equal(
    (await daemon.status()).workers.reduce((sum, { restarts }) => sum + restarts, 0),
    NUM_SLOTS * NUM_ROUNDS,
  )
  assert.ok(growth <= MASTER_GROWTH_LIMIT, `resident memory grew by ${growth / MIB} MiB`)
})
