import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { Client, closeAll, DaemonProcess } from '../daemon-process.ts'
import { becomes } from '../reliability/process-figures.ts'
import { FILES, seriesOf } from './admission-handlers.ts'

const IDLE_MS = 800
const heartbeat = { idleSeconds: IDLE_MS / 1000, checkSeconds: 0.2 }
const FILL = 8_000_000
const SIP = 200_000
const PAUSING = `
import { TcpHandler } from 'polyport'
export default class Pausing extends TcpHandler {
  onConnect(connection) { connection.send('welcome') }
  onReceive(connection) { connection.pause(); connection.send('paused') }
}`
const FILLING = `
import { TcpHandler } from 'polyport'
export default class Filling extends TcpHandler {
  onConnect(connection) { connection.send(Buffer.alloc(${FILL})) }
  onReceive() {}
}`
const ALL = { ...FILES, 'pausing.js': PAUSING, 'filling.js': FILLING }
const UPGRADE =
  'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'

async function lifeOf(client: Client): Promise<number> {
  const start = performance.now()
  await client.closed
  return performance.now() - start
}

for (const protocol of ['tcp', 'stream']) {
  test(`heartbeat closes a silent ${protocol} connection, and none that says something`, async (t) => {
    const port = { name: 'port', protocol, port: 0, handler: `./${protocol}.js`, heartbeat }
    const daemon = await DaemonProcess.start(t, { ports: [port] }, { files: ALL })
    const address = await daemon.address('port')
    const silent = await Client.open(address)
    const talking = await Client.open(address)
    const words = setInterval(() => talking.write('still here\r\n'), IDLE_MS / 4)
    t.after(() => clearInterval(words))
    const ms = await lifeOf(silent)

    t.diagnostic(`closed after ${ms.toFixed(0)} ms`)
    assert.ok(ms >= IDLE_MS * 0.9 && ms < 3 * IDLE_MS, `${ms} ms`)
    await sleep(IDLE_MS)
    assert.equal(talking.socket.readyState, 'open')
    clearInterval(words)
    await talking.closed
    if (protocol === 'tcp') await daemon.line(/"reason":"heartbeat","msg":"closed"/)
    await becomes(2, async () => seriesOf(await daemon.metrics(), 'polyport_connections_closed_total{port="port",reason="heartbeat"}'))
  })
}

test('heartbeat pings WebSockets, of a path too: who answers stays, who does not is dropped; plain HTTP is left alone', async (t) => {
  const ws = { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js', heartbeat }
  const web = { name: 'web', protocol: 'http', port: 0, handler: './http.js', heartbeat, websocket: { path: '/', handler: './ws.js' } }
  const daemon = await DaemonProcess.start(t, { ports: [ws, web] }, { files: ALL })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const kept = async (): Promise<unknown> => {
    const [response] = (await once(http.get({ ...(await daemon.address('web')), agent }), 'response')) as [http.IncomingMessage]
    await response.toArray()
    return response.socket?.localPort ?? (response as unknown as { client: unknown }).client
  }
  await kept()
  const before = seriesOf(await daemon.metrics(), 'polyport_connections_accepted_total{port="web"}')
  for (const name of ['ws', 'web']) {
    const { host, port } = await daemon.address(name)
    const alive = new WebSocket(`ws://${host}:${port}/`)
    t.after(() => alive.terminate())
    let numPings = 0
    alive.on('ping', () => numPings++)
    await once(alive, 'message')
    const half = await Client.open({ host, port })
    half.write(UPGRADE)
    await half.until('127.0.0.1')
    const ms = await lifeOf(half)

    t.diagnostic(`${name}: dropped after ${ms.toFixed(0)} ms`)
    assert.ok(ms >= IDLE_MS * 0.9 && ms <= 3 * IDLE_MS, `${ms} ms`)
    assert.match(half.text, /\x89\0$/, 'it was pinged')
    await sleep(2 * IDLE_MS)
    assert.equal(alive.readyState, alive.OPEN)
    assert.ok(numPings >= 2, `${numPings} pings`)
    await daemon.line(/"reason":"heartbeat","msg":"closed"/)
  }
  await kept()
  assert.equal(
    seriesOf(await daemon.metrics(), 'polyport_connections_accepted_total{port="web"}'),
    before + 2,
    'the request came by the connection of the first',
  )
})

test('heartbeat does not hold its own silence against a client: one that the handler has paused stays; one that takes nothing goes', async (t) => {
  const ports = [
    { name: 'pausing', protocol: 'tcp', port: 0, handler: './pausing.js', heartbeat },
    { name: 'stuck', protocol: 'tcp', port: 0, handler: './filling.js', heartbeat },
    { name: 'slow', protocol: 'tcp', port: 0, handler: './filling.js', heartbeat },
  ]
  const daemon = await DaemonProcess.start(t, { ports }, { files: ALL })
  const paused = await Client.open(await daemon.address('pausing'))
  paused.write('hello\r\n')
  await paused.until('paused')
  const stuck = await Client.open(await daemon.address('stuck'))
  stuck.socket.pause()
  const slow = await Client.open(await daemon.address('slow'))
  slow.socket.pause()
  let read = 0
  // More at a time than a window's update needs, as the kernel tells of no less, and so little that there is enough for long.
  slow.socket.on('data', ({ length }: Buffer) => {
    read += length
    if (read % SIP < length) slow.socket.pause()
  })
  const reads = setInterval(() => slow.socket.resume(), IDLE_MS / 8)
  t.after(() => clearInterval(reads))
  const ended = async (port: string): Promise<number> =>
    seriesOf(await daemon.metrics(), `polyport_connections_closed_total{port="${port}",reason="heartbeat"}`)
  await becomes(1, () => ended('stuck'))

  assert.equal(await ended('slow'), 0)
  assert.ok(read > 0 && read < FILL, `${read} bytes were read`)
  assert.equal(paused.socket.readyState, 'open')
  closeAll([paused, stuck, slow])
})

test('heartbeat counts on over a reload', async (t) => {
  const idleMs = 6000
  const port = { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js', heartbeat: { idleSeconds: idleMs / 1000, checkSeconds: 0.2 } }
  const daemon = await DaemonProcess.start(t, { ports: [port] }, { files: ALL })
  const client = await Client.open(await daemon.address('tcp'))
  await client.until('\r\n')
  const life = lifeOf(client)
  await sleep(1500)
  assert.equal((await daemon.request('POST', '/api/reload')).status, 200)
  const ms = await life

  t.diagnostic(`closed after ${ms.toFixed(0)} ms`)
  assert.ok(ms >= idleMs - 200 && ms < idleMs + 1300, `${ms} ms`)
})
