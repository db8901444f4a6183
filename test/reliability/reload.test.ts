import assert from 'node:assert/strict'
import { test } from 'node:test'
import { childrenOf, DaemonProcess } from '../daemon-process.ts'
import { eventually } from './process-figures.ts'
import { calm, type Measured, measure, median, undisturbed } from './processor-time.ts'
import { Traffic } from './traffic.ts'

const NUM_RELOADS = 10
const NUM_OF_EACH = 150
const RELOAD_LIMIT_MS = 1500
// Beside other programs a reload takes as long as they leave it. With fewer calm ones than this, what is left is to find what has become slow.
const MIN_CALM = 3
const DISTURBED_LIMIT_MS = 2 * RELOAD_LIMIT_MS

const FILES = {
  'tcp.js': `
import { TcpHandler } from 'polyport'
export default class Member extends TcpHandler {
  onConnect(connection) { connection.join('all'); this.daemon.counter('opened').add(1) }
  onReceive(connection, message) {
    const text = message.toString()
    if (text.startsWith('publish ')) { connection.leave('all'); this.daemon.publish('all', text.slice(8)) }
    else if (text === 'hello') { connection.leave('all'); connection.send('hello') }
    else connection.send(message)
  }
  onHandover() { this.daemon.counter('moved').add(1) }
  onClose() { this.daemon.counter('closed').add(1) }
}`,
  'ws.js': `
import { WebSocketHandler } from 'polyport'
export default class Member extends WebSocketHandler {
  onOpen(connection) { connection.join('all'); this.daemon.counter('opened').add(1) }
  async onMessage(connection, message) { await null; connection.send(message) }
  onHandover() { this.daemon.counter('moved').add(1) }
  onClose() { this.daemon.counter('closed').add(1) }
}`,
  'http.js': `
import { HttpHandler } from 'polyport'
export default class Web extends HttpHandler {
  async onRequest(request, response) {
    if (request.url === '/counters') return response.end(JSON.stringify(Object.fromEntries(['opened', 'moved', 'closed'].map((name) => [name, this.daemon.counter(name).value]))))
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
    response.end('ok')
  }
}`,
}
const PORTS = [
  { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js' },
  { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js' },
  { name: 'http', protocol: 'http', port: 0, handler: './http.js' },
]

async function counters(daemon: DaemonProcess): Promise<Record<'opened' | 'moved' | 'closed', number>> {
  const { host, port } = await daemon.address('http')
  return (await (await fetch(`http://${host}:${port}/counters`)).json()) as Record<'opened' | 'moved' | 'closed', number>
}

for (const workers of [1, 2, 4]) {
  test(`${NUM_RELOADS} reloads under traffic with ${workers} workers: nothing is closed, lost, doubled or reordered`, async (t) => {
    const daemon = await DaemonProcess.start(t, { workers, ports: PORTS }, { files: FILES })
    const [tcp, ws, web] = await Promise.all(['tcp', 'ws', 'http'].map((name) => daemon.address(name)))
    assert.ok(tcp && ws && web)
    const traffic = new Traffic()
    t.after(() => traffic.stop())
    await traffic.open({ tcp, ws }, NUM_OF_EACH)
    await traffic.publish(tcp)
    traffic.ask({ tcp, http: web })
    const times: Measured[] = []
    for (let i = 0; i < NUM_RELOADS; i++) {
      // The time is that of one reload: old processes of the one before are no part of it.
      await eventually('the old workers have ended', () => childrenOf(daemon.pid).length === workers)
      const before = traffic.numEchoed
      times.push(
        await measure(daemon.pid, async () => {
          const { status, body } = await daemon.request('POST', '/api/reload')
          assert.equal(status, 200, body)
        }),
      )
      while (traffic.numEchoed < before + NUM_OF_EACH && traffic.wrong.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await traffic.stop()
    const seen = await counters(daemon)

    t.diagnostic(
      `${traffic.numEchoed} echoes, ${traffic.numReceived} of ${traffic.numPublished} publications to ${2 * NUM_OF_EACH} members, ${traffic.numRequests} requests, ` +
        `${traffic.numFresh} new connections; ${seen.moved} moves; reloads took ${times.map(({ ms }) => ms.toFixed(0)).join(', ')} ms, ` +
        `while others had ${times.map(({ others }) => (others * 100).toFixed(0)).join(', ')} % of the processors`,
    )
    assert.deepEqual(traffic.wrong, [])
    assert.deepEqual(traffic.failed, [])
    assert.equal(traffic.closed, 0)
    assert.ok(seen.moved >= NUM_RELOADS * 2 * NUM_OF_EACH, `${seen.moved} moves`)
    // The members, the publisher, and those that greet and go.
    assert.ok(seen.opened >= 2 * NUM_OF_EACH + 1 + traffic.numFresh && seen.opened <= 2 * NUM_OF_EACH + 2 + traffic.numFresh, `${seen.opened} opened`)
    const calmTimes = calm(times)
    const isCalm = calmTimes.length >= MIN_CALM
    const medianMs = median(isCalm ? calmTimes : undisturbed(times))
    assert.ok(medianMs < (isCalm ? RELOAD_LIMIT_MS : DISTURBED_LIMIT_MS), `half of the reloads took ${medianMs} ms or more${isCalm ? '' : ', by themselves'}`)
  })
}
