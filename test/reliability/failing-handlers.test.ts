import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { Client, childrenOf, DaemonProcess } from '../daemon-process.ts'
import { ECHO_TCP } from './handlers.ts'
import { becomes } from './process-figures.ts'

// Of each kind, half of them thrown and half rejected.
const NUM_FAILURES = 1000
const NUM_AT_ONCE = 20

const FAIL = `
let turn = 0
function fail() {
  if (turn++ % 2 === 0) throw new Error('thrown on purpose')
  return Promise.reject(new Error('rejected on purpose'))
}`
const FILES = {
  'echo.js': ECHO_TCP,
  'tcp.js': `import { TcpHandler } from 'polyport'
export default class Failing extends TcpHandler {
  onReceive(connection, message) { return message.toString() === 'ping' ? void connection.send('pong') : fail() }
}${FAIL}`,
  'http.js': `import { HttpHandler } from 'polyport'
export default class Failing extends HttpHandler { onRequest(request, response) { response.setHeader('X-Half', 'done'); return fail() } }${FAIL}`,
  'ws.js': `import { WebSocketHandler } from 'polyport'
export default class Failing extends WebSocketHandler { onMessage() { return fail() } }${FAIL}`,
}
const PORTS = [
  { name: 'echo', protocol: 'tcp', port: 0, handler: './echo.js' },
  { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js' },
  { name: 'http', protocol: 'http', port: 0, handler: './http.js' },
  { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js' },
]

async function repeat(work: () => Promise<void>): Promise<void> {
  let left = NUM_FAILURES
  await Promise.all(
    Array.from({ length: NUM_AT_ONCE }, async () => {
      while (left-- > 0) await work()
    }),
  )
}

test('1,000 failing callbacks of each protocol end nothing but what they must', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: PORTS }, { files: FILES })
  const pids = childrenOf(daemon.pid)
  const errors = async (port: string): Promise<number> =>
    Number(new RegExp(`polyport_handler_errors_total\\{port="${port}"\\} (\\d+)`).exec(await daemon.metrics())?.[1])

  // Somebody else, who must not notice.
  const bystander = await Client.open(await daemon.address('echo'))
  let numEchoed = 0
  let isDone = false
  const watching = (async () => {
    while (!isDone) {
      bystander.received = Buffer.alloc(0)
      bystander.write('still there?\r\n')
      await bystander.until('still there?\r\n')
      numEchoed++
    }
  })()

  await t.test('http: 500, and the connection can be used again', async () => {
    const where = await daemon.address('http')
    const agent = new http.Agent({ keepAlive: true, maxSockets: NUM_AT_ONCE })
    const sockets = new Set()
    await repeat(async () => {
      const request = http.get({ ...where, agent })
      const [response] = (await once(request, 'response')) as [http.IncomingMessage]
      sockets.add(request.socket)
      assert.deepEqual([response.statusCode, response.headers['x-half']], [500, undefined])
      await once(response.resume(), 'end')
    })
    agent.destroy()
    assert.equal(sockets.size, NUM_AT_ONCE)
    await becomes(NUM_FAILURES, () => errors('http'))
    const answered = new RegExp(`polyport_http_requests_total\\{port="http",method="GET",status="5xx"\\} ${NUM_FAILURES}\\n`)
    await becomes(true, async () => answered.test(await daemon.metrics()))
  })

  await t.test('tcp: the connection stays', async () => {
    const client = await Client.open(await daemon.address('tcp'))
    client.write('fail\r\n'.repeat(NUM_FAILURES))
    client.write('ping\r\n')
    assert.equal(await client.until('pong\r\n'), 'pong\r\n')
    await becomes(NUM_FAILURES, () => errors('tcp'))
    client.socket.destroy()
  })

  await t.test('websocket: closed with 1011', async () => {
    const { host, port } = await daemon.address('ws')
    await repeat(async () => {
      const socket = new WebSocket(`ws://${host}:${port}`)
      await once(socket, 'open')
      socket.send('fail')
      const [code] = await once(socket, 'close')
      assert.equal(code, 1011)
    })
    await becomes(NUM_FAILURES, () => errors('ws'))
    const closed = new RegExp(`polyport_connections_closed_total\\{port="ws",reason="error"\\} ${NUM_FAILURES}\\n`)
    await becomes(true, async () => closed.test(await daemon.metrics()))
  })

  isDone = true
  await watching
  t.diagnostic(`${numEchoed} echoes for the bystander meanwhile`)
  assert.deepEqual(childrenOf(daemon.pid), pids)
  assert.equal((await daemon.status()).workers[0]?.restarts, 0)
  const failures = (): string[] => daemon.lines.filter((line) => line.includes('Handler failed in'))
  await becomes(3 * NUM_FAILURES, () => failures().length)
  assert.match(failures()[0] ?? '', /"port":"http","err":\{.*on purpose.*"handler":"Failing","callback":"onRequest"/)
  bystander.socket.destroy()
})
