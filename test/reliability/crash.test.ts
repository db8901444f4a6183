import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DaemonProcess } from '../daemon-process.ts'
import { LossMeter } from './loss-meter.ts'
import { eventually, sleep } from './process-figures.ts'
import { type Measured, measure, undisturbed } from './processor-time.ts'

const NUM_CLIENTS = 6
const NUM_KILLS = 6
const BACK_LIMIT_MS = 1000

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

/** Kills the worker of a slot and measures how long it takes until the next one listens. */
async function kill(daemon: DaemonProcess, slot: number): Promise<Measured> {
  const { workers } = await daemon.status()
  const victim = workers[slot]
  assert.ok(victim)
  // Not by asking for the status: that waits for the worker that does not answer.
  const numReady = (): number => daemon.lines.filter((line) => line.includes('"msg":"Worker ready"') && line.includes(`"worker":${slot},`)).length
  const before = numReady()
  return measure(daemon.pid, async () => {
    process.kill(victim.pid, 'SIGKILL')
    await eventually(`worker ${slot} is back`, () => numReady() > before)
  })
}

for (const dispatch of ['kernel', 'round-robin']) {
  test(`kill -9 of workers under load, dispatch ${dispatch}: the others lose nothing and nobody hangs`, async (t) => {
    const daemon = await DaemonProcess.start(t, { workers: 2, dispatch, ports: PORTS }, { files: FILES })
    const meter = new LossMeter()
    t.after(() => meter.stop())
    const [tcp, web, ws] = await Promise.all(['tcp', 'http', 'ws'].map((name) => daemon.address(name)))
    assert.ok(tcp && web && ws)
    meter.start({ tcp, http: web, ws }, NUM_CLIENTS)
    await sleep(500)
    const back: Measured[] = []
    let numForOthers = 0
    for (let round = 0; round < NUM_KILLS; round++) {
      const slot = round % 2
      const other = 1 - slot
      const before = meter.lost.get(other) ?? 0
      back.push(await kill(daemon, slot))
      numForOthers += (meter.lost.get(other) ?? 0) - before
      await sleep(300)
    }
    await meter.stop()

    t.diagnostic(
      `${meter.numAnswered} answered; ${meter.numLost} persistent connections of killed workers ended, ${numForOthers} of others; ` +
        `${meter.numReset} fresh ones reset; ${meter.hung} hung; back after ${back.map(({ ms }) => ms.toFixed(0)).join(', ')} ms, by themselves ${undisturbed(
          back,
        )
          .map((ms) => ms.toFixed(0))
          .join(', ')}`,
    )
    assert.ok(meter.numAnswered > 500)
    assert.ok(meter.numLost > 0, 'the killed workers had no connection: this run shows nothing')
    assert.equal(numForOthers, 0)
    assert.equal(meter.hung, 0)
    assert.ok(meter.numLost <= 3 * NUM_CLIENTS * NUM_KILLS)
    // The first of each: workers that die again within seconds are held back on purpose.
    for (const ms of undisturbed(back.slice(0, 2))) assert.ok(ms <= BACK_LIMIT_MS, `a worker was back after ${ms} ms`)
  })
}
