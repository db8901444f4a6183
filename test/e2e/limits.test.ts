import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { Client, childrenOf, closeAll, DaemonProcess } from '../daemon-process.ts'
import { eventually } from '../reliability/process-figures.ts'
import { FILES, seriesOf } from './admission-handlers.ts'

const LIMIT = 20
const WORKERS = 2
type Where = { host: string; port: number; localAddress?: string }

/** Opens connections one behind the other and waits for each to be greeted, or refused: the ones that were let in. */
async function open(t: TestContext, where: Where, count: number): Promise<{ inside: Client[]; refused: number }> {
  const inside: Client[] = []
  for (let i = 0; i < count; i++) {
    const client = new Client(where)
    t.after(() => client.socket.destroy())
    const isIn = await Promise.race([client.until('\r\n').then(() => true), client.closed.then(() => false)]).catch(() => false)
    if (isIn) inside.push(client)
  }
  return { inside, refused: count - inside.length }
}

/** What a request on a connection of its own is answered with. */
async function ask(where: Where, headers: http.OutgoingHttpHeaders = {}): Promise<http.IncomingMessage> {
  const [response] = (await once(http.get({ ...where, agent: false, headers }), 'response')) as [http.IncomingMessage]
  response.resume()
  return response
}

/** A WebSocket that is open, or the status that it was refused with. */
async function upgrade(t: TestContext, where: Where, headers: Record<string, string> = {}): Promise<WebSocket | number> {
  const socket = new WebSocket(`ws://${where.host}:${where.port}/`, { headers, ...(where.localAddress && { localAddress: where.localAddress }) })
  t.after(() => socket.terminate())
  socket.on('error', () => {})
  return Promise.race([once(socket, 'open').then(() => socket), once(socket, 'unexpected-response').then(([, response]) => response.statusCode as number)])
}

async function refusals(daemon: DaemonProcess, port: string, reason: string): Promise<number> {
  return seriesOf(await daemon.metrics(), `polyport_connections_refused_total{port="${port}",reason="${reason}"}`)
}

for (const dispatch of ['kernel', 'round-robin']) {
  test(`maxConnections holds over all workers (${dispatch}), also over a reload, and leaves those alone that are in`, async (t) => {
    const port = { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js', limits: { maxConnections: LIMIT } }
    const daemon = await DaemonProcess.start(t, { workers: WORKERS, dispatch, ports: [port] }, { files: FILES })
    const where = await daemon.address('tcp')
    const first = await open(t, where, LIMIT + 100)

    assert.ok(Math.abs(first.inside.length - LIMIT) <= WORKERS, `${first.inside.length} got in`)
    assert.equal(await refusals(daemon, 'tcp', 'max_connections'), first.refused)
    for (const client of first.inside) client.write('still here\r\n')
    for (const client of first.inside) await client.until('still here')

    assert.equal((await daemon.request('POST', '/api/reload')).status, 200)
    assert.equal((await open(t, where, 10)).refused, 10)
    closeAll(first.inside.splice(0, 3))
    await eventually('they have gone', async () => (await daemon.status()).ports[0]?.connections === first.inside.length)
    const again = await open(t, where, 10)
    assert.ok(Math.abs(again.inside.length - 3) <= WORKERS, `${again.inside.length} took the place of 3`)
    for (const client of first.inside) client.write('and here\r\n')
    for (const client of first.inside) await client.until('and here')
    assert.equal(await refusals(daemon, 'tcp', 'max_connections'), first.refused + 10 + again.refused)
  })
}

test('maxConnections: what a killed worker held is free again, and nothing is counted twice', async (t) => {
  const port = { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js', limits: { maxConnections: LIMIT, maxConnectionsPerIp: LIMIT } }
  const daemon = await DaemonProcess.start(t, { workers: WORKERS, ports: [port] }, { files: FILES })
  const where = await daemon.address('tcp')
  const before = await open(t, where, LIMIT + 10)
  for (const pid of childrenOf(daemon.pid)) process.kill(pid, 'SIGKILL')
  await Promise.all(before.inside.map((client) => client.closed))
  await daemon.line(/"worker":0.*"msg":"Worker ready"/)
  await daemon.line(/"worker":1.*"msg":"Worker ready"/)

  const after = await open(t, where, LIMIT + 10)

  assert.ok(Math.abs(after.inside.length - LIMIT) <= WORKERS, `${after.inside.length} got in`)
})

test('maxConnections: HTTP and WebSocket are refused with 503 and Connection: close, and told so also when they have sent a request', async (t) => {
  const limits = { maxConnections: 2 }
  const ports = [
    { name: 'http', protocol: 'http', port: 0, handler: './http.js', limits },
    { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js', limits },
  ]
  const daemon = await DaemonProcess.start(t, { ports }, { files: FILES })
  const web = await daemon.address('http')
  const agent = new http.Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const kept = await Promise.all([0, 1].map(async () => (await once(http.get({ ...web, agent }), 'response'))[0] as http.IncomingMessage))
  for (const response of kept) await response.toArray()

  for (let i = 0; i < 20; i++) {
    const response = await ask(web)
    assert.equal(response.statusCode, 503)
    assert.equal(response.headers.connection, 'close')
  }
  const [again] = (await once(http.get({ ...web, agent }), 'response')) as [http.IncomingMessage]
  assert.equal(again.statusCode, 200)
  again.resume()
  const chat = await daemon.address('ws')
  const sockets = [await upgrade(t, chat), await upgrade(t, chat)]
  assert.ok(sockets.every((socket) => socket instanceof WebSocket))
  for (let i = 0; i < 5; i++) assert.equal(await upgrade(t, chat), 503)
  assert.equal(await refusals(daemon, 'http', 'max_connections'), 20)
  assert.equal(await refusals(daemon, 'ws', 'max_connections'), 5)
})

test('maxConnectionsPerIp is of each address: others get in', async (t) => {
  const limits = { maxConnectionsPerIp: 3 }
  const ports = [
    { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js', limits },
    { name: 'http', protocol: 'http', port: 0, handler: './http.js', limits },
  ]
  const daemon = await DaemonProcess.start(t, { workers: WORKERS, ports }, { files: FILES })
  const where = await daemon.address('tcp')
  const one = await open(t, where, 10)
  const two = await open(t, { ...where, localAddress: '127.0.0.2' }, 10)

  assert.deepEqual([one.inside.length, two.inside.length], [3, 3])
  one.inside[0]?.socket.end()
  await one.inside[0]?.closed
  await eventually('there is room', async () => (await open(t, where, 1)).inside.length === 1)
  assert.equal((await open(t, where, 1)).inside.length, 0)
  assert.ok((await refusals(daemon, 'tcp', 'max_connections_per_ip')) >= 15)

  const web = await daemon.address('http')
  const clients = await Promise.all([0, 1, 2].map(() => Client.open(web)))
  await eventually('all three are there', async () => (await daemon.status()).ports[1]?.connections === 3)
  assert.equal((await ask(web)).statusCode, 503)
  assert.equal((await ask({ ...web, localAddress: '127.0.0.2' })).statusCode, 200)
  closeAll(clients)
})

test('connectionsPerSecondPerIp is of each address: who comes too fast is refused with 429, others get in', async (t) => {
  const limits = { connectionsPerSecondPerIp: 5 }
  const ports = [
    { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js', limits },
    { name: 'http', protocol: 'http', port: 0, handler: './http.js', limits },
  ]
  const daemon = await DaemonProcess.start(t, { workers: WORKERS, ports }, { files: FILES })
  const where = await daemon.address('tcp')
  const start = performance.now()
  const one = await open(t, where, 40)
  const allowed = 5 + Math.ceil(((performance.now() - start) / 1000) * 5)
  assert.ok(one.inside.length >= 5 && one.inside.length <= allowed, `${one.inside.length} of ${allowed} got in`)
  assert.equal((await open(t, { ...where, localAddress: '127.0.0.2' }, 5)).inside.length, 5)
  assert.equal(await refusals(daemon, 'tcp', 'rate'), one.refused)
  closeAll(one.inside)
  await eventually('it may come again', async () => (await open(t, where, 1)).inside.length === 1)

  const web = await daemon.address('http')
  const statuses = await Promise.all(Array.from({ length: 40 }, async () => (await ask(web)).statusCode))
  assert.ok(statuses.includes(200) && statuses.includes(429), statuses.join())
})

test('behind a trusted proxy, limits per address are of the client that it forwards', async (t) => {
  const port = { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js', trustedProxies: ['127.0.0.1'], limits: { maxConnectionsPerIp: 2 } }
  const daemon = await DaemonProcess.start(t, { workers: WORKERS, ports: [port] }, { files: FILES })
  const where = await daemon.address('ws')
  const from = (address: string): Promise<WebSocket | number> => upgrade(t, where, { 'X-Forwarded-For': address })
  const sockets = [await from('192.0.2.1'), await from('192.0.2.1'), await from('192.0.2.2'), await from('2001:db8::1'), await from('2001:db8::2')]

  assert.ok(sockets.every((socket) => socket instanceof WebSocket))
  assert.equal(await from('192.0.2.1'), 503)
  assert.equal(await from('2001:db8::3'), 503, 'the same network')
  assert.ok((await from('2001:db8:0:1::3')) instanceof WebSocket)
  assert.equal(await refusals(daemon, 'ws', 'max_connections_per_ip'), 2)
  assert.equal((await daemon.request('POST', '/api/reload')).status, 200)
  assert.equal(await from('192.0.2.1'), 503)
  ;(sockets[0] as WebSocket).terminate()
  await eventually('there is room', async () => (await from('192.0.2.1')) instanceof WebSocket)
})
