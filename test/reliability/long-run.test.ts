import assert from 'node:assert/strict'
import { test } from 'node:test'
import { childrenOf, DaemonProcess } from '../daemon-process.ts'
import { FILES as ECHOES, PORTS } from './handlers.ts'
import { descriptorsOf, eventually, KIB, MIB, memoryOf, sleep } from './process-figures.ts'
import { Traffic } from './traffic.ts'

// 30 for the figure of the documentation. A test run takes the short one: it finds what is lost, and what grows fast.
const MINUTES = Number(process.env['POLYPORT_TEST_MINUTES'] ?? 0.4)
const PERIOD_MS = Math.min(60_000, (MINUTES * 60_000) / 6)
const LIMIT_PER_MINUTE = MIB
const TIMEOUT_MS = MINUTES * 60_000 + 90_000

const FILES = {
  ...ECHOES,
  'tcp.js': `
import { TcpHandler } from 'polyport'
export default class Member extends TcpHandler {
  onConnect(connection) { connection.join('all') }
  onReceive(connection, message) {
    const text = message.toString()
    if (text.startsWith('publish ')) { connection.leave('all'); this.daemon.publish('all', text.slice(8)) }
    else if (text === 'hello') { connection.leave('all'); connection.send('hello') }
    else connection.send(message)
  }
}`,
  'ws.js': `
import { WebSocketHandler } from 'polyport'
export default class Member extends WebSocketHandler {
  onOpen(connection) { connection.join('all') }
  async onMessage(connection, message) { await null; connection.send(message) }
}`,
}

interface Sample {
  readonly minutes: number
  readonly master: number
  readonly descriptors: number
  /** Of the largest worker, at the end of its time. */
  readonly worker: number
}

/** Bytes a minute that a value grows by: least squares. */
function slope(samples: readonly Sample[], value: (sample: Sample) => number): number {
  const mean = (of: (sample: Sample) => number): number => samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length
  const [x, y] = [mean(({ minutes }) => minutes), mean(value)]
  const up = samples.reduce((sum, sample) => sum + (sample.minutes - x) * (value(sample) - y), 0)
  return up / samples.reduce((sum, { minutes }) => sum + (minutes - x) ** 2, 0)
}

test(`${MINUTES} minutes of mixed load with reloads: nothing is lost, and nothing grows`, { timeout: TIMEOUT_MS }, async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: FILES })
  const [tcp, ws, web] = await Promise.all(['tcp', 'ws', 'http'].map((name) => daemon.address(name)))
  assert.ok(tcp && ws && web)
  const traffic = new Traffic()
  t.after(() => traffic.stop())
  await traffic.open({ tcp, ws }, 10)
  await traffic.publish(tcp)
  traffic.ask({ tcp, http: web })
  const samples: Sample[] = []
  const start = performance.now()
  while (performance.now() - start < MINUTES * 60_000 && traffic.wrong.length === 0) {
    await sleep(PERIOD_MS)
    const worker = Math.max(...childrenOf(daemon.pid).map((pid) => memoryOf(pid).rss))
    const { status, body } = await daemon.request('POST', '/api/reload')
    assert.equal(status, 200, body)
    await eventually('the old workers are gone', () => childrenOf(daemon.pid).length === 2)
    samples.push({ minutes: (performance.now() - start) / 60_000, master: memoryOf(daemon.pid).rss, descriptors: descriptorsOf(daemon.pid), worker })
  }
  await traffic.stop()
  // What is loaded once, and what V8 makes room for, comes first.
  const steady = samples.slice(Math.floor(samples.length / 3))
  const growth = { master: slope(steady, ({ master }) => master), worker: slope(steady, ({ worker }) => worker) }

  t.diagnostic(
    `${traffic.numEchoed} echoes, ${traffic.numReceived} publications, ${traffic.numRequests} requests, ${traffic.numFresh} new connections over ${samples.length} reloads; ` +
      `KiB a minute: master ${(growth.master / KIB).toFixed(0)}, workers ${(growth.worker / KIB).toFixed(0)}; master ${((samples.at(-1)?.master ?? 0) / MIB).toFixed(0)} MiB`,
  )
  assert.deepEqual(traffic.wrong, [])
  assert.deepEqual(traffic.failed, [])
  assert.equal(traffic.closed, 0)
  const descriptors = samples.map((sample) => sample.descriptors)
  assert.ok(Math.max(...descriptors) - Math.min(...descriptors) <= 8, `descriptors of the master: ${descriptors.join(', ')}`)
  // Less than that says little in a minute: V8 collects when it likes.
  if (MINUTES < 10) return
  assert.ok(growth.master <= LIMIT_PER_MINUTE && growth.worker <= LIMIT_PER_MINUTE, JSON.stringify(growth))
})
