import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { Client, DaemonProcess } from '../daemon-process.ts'
import { FILES, seriesOf } from '../e2e/admission-handlers.ts'
import { eventually } from './process-figures.ts'

const BLOCKING = `
import { TcpHandler } from 'polyport'
export default class Blocking extends TcpHandler {
  onConnect(connection) { connection.send('welcome') }
  onReceive(connection, message) {
    const end = performance.now() + Number(message)
    while (performance.now() < end);
    connection.send('done')
  }
}`
// More than a start leaves behind, and a busy machine makes by itself now and then.
const limits = { maxLagMs: 200 }
const PORTS = [
  { name: 'tcp', protocol: 'tcp', port: 0, handler: './blocking.js', limits },
  { name: 'http', protocol: 'http', port: 0, handler: './http.js', limits },
  { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js', limits },
  { name: 'free', protocol: 'http', port: 0, handler: './http.js' },
]

async function ask(options: http.RequestOptions): Promise<http.IncomingMessage> {
  const [response] = (await once(http.get(options), 'response')) as [http.IncomingMessage]
  await response.toArray()
  return response
}

test('overload: who is in is served but not kept alive, nobody new gets in, /readyz tells, and it is over within five seconds', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: PORTS }, { files: { ...FILES, 'blocking.js': BLOCKING } })
  const [tcp, web, chat, free] = await Promise.all(PORTS.map(({ name }) => daemon.address(name)))
  assert.ok(tcp && web && chat && free)
  const inside = await Client.open(tcp)
  t.after(() => inside.socket.destroy())
  await inside.until('welcome')
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  assert.equal((await ask({ ...web, agent })).headers.connection, 'keep-alive')
  const old = new WebSocket(`ws://${chat.host}:${chat.port}/`)
  t.after(() => old.terminate())
  await once(old, 'message')

  inside.write('3500\r\n')
  await inside.until('done')
  const start = performance.now()
  const outside = await Client.open(tcp)
  await outside.closed
  const refused = await ask({ ...web, agent: false })
  const socket = new WebSocket(`ws://${chat.host}:${chat.port}/`)
  socket.on('error', () => {})
  const [, upgrade] = (await once(socket, 'unexpected-response')) as [unknown, http.IncomingMessage]
  const kept = await ask({ ...web, agent })
  old.send('hello')
  const [echo] = await once(old, 'message')

  assert.equal(outside.text, '')
  assert.deepEqual([refused.statusCode, refused.headers.connection], [503, 'close'])
  assert.equal(upgrade.statusCode, 503)
  assert.deepEqual([kept.statusCode, kept.headers.connection], [200, 'close'])
  assert.equal(String(echo), 'hello')
  assert.equal((await ask({ ...free, agent: false })).statusCode, 200, 'a port without this limit')
  const ready = await daemon.request('GET', '/readyz')
  assert.deepEqual([ready.status, ready.body], [503, 'not ready: worker 0 is overloaded\n'])
  await daemon.line(/"lagMs":\d+,"msg":"Overloaded: new connections are refused"/)

  await eventually('it is over', async () => (await daemon.request('GET', '/readyz')).status === 200)
  const ms = performance.now() - start
  t.diagnostic(`over after ${ms.toFixed(0)} ms`)
  assert.ok(ms < 5000, `${ms} ms`)
  await eventually('connections are kept alive again', async () => (await ask({ ...web, agent })).headers.connection === 'keep-alive')
  const metrics = await daemon.metrics()
  for (const port of ['tcp', 'http', 'ws']) assert.equal(seriesOf(metrics, `polyport_connections_refused_total{port="${port}",reason="rate"}`), 1, port)
})
