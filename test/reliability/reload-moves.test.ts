import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type net from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { Client, childrenOf, closeAll, DaemonProcess } from '../daemon-process.ts'
import { freePort } from '../free-port.ts'
import { becomes, eventually } from './process-figures.ts'

const FILES = {
  'tcp.js': `
import { TcpHandler } from 'polyport'
export default class Echo extends TcpHandler {
  onReceive(connection, message) {
    const text = message.toString()
    if (text.startsWith('fail')) connection.data.fail = text
    if (text === 'never') return new Promise(() => {})
    connection.send(text)
  }
  onHandover(connection) {
    if (this.options.handoverMs) for (const end = Date.now() + this.options.handoverMs; Date.now() < end; );
    return failure(connection)
  }
  onStop() { this.log.info('onStop') }
}
export function failure({ data: { fail } }) {
  if (fail === 'fail') throw new Error('onHandover fails')
  if (fail === 'fail later') return Promise.reject(new Error('onHandover fails'))
}`,
  'ws.js': `
import { WebSocketHandler } from 'polyport'
import { failure } from './tcp.js'
export default class Echo extends WebSocketHandler {
  async onMessage(connection, message) {
    const [verb, ...rest] = message.split(' ')
    if (verb === 'flood') for (let i = 0; i < 7 * 1024; i++) connection.send(String(i).padEnd(1000, '.'))
    else if (verb === 'slow') { await new Promise((resolve) => setTimeout(resolve, Number(rest[0]))); connection.send(rest[1]) }
    else { if (verb === 'fail') connection.data.fail = message; connection.send(message) }
  }
  onHandover(connection) { return failure(connection) }
}`,
  'http.js': `
import { HttpHandler } from 'polyport'
export default class Web extends HttpHandler {
  async onRequest(request, response) {
    let length = 0
    for await (const chunk of request) length += chunk.length
    if (request.url === '/down') for (let i = 0; i < 40; i++) { response.write(Buffer.alloc(64 * 1024, i)); await new Promise((resolve) => setTimeout(resolve, 50)) }
    if (request.url === '/wait') await new Promise((resolve) => setTimeout(resolve, 800))
    response.end('length ' + length)
  }
}`,
}
const TCP = { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js' }
const WS = { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js' }
const HTTP = { name: 'http', protocol: 'http', port: 0, handler: './http.js' }

const HANDSHAKE =
  'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'

async function reload(daemon: DaemonProcess): Promise<void> {
  const { status, body } = await daemon.request('POST', '/api/reload')
  assert.equal(status, 200, body)
}

async function openWebSocket(t: TestContext, daemon: DaemonProcess): Promise<WebSocket> {
  const { host, port } = await daemon.address('ws')
  const webSocket = new WebSocket(`ws://${host}:${port}/`)
  t.after(() => webSocket.terminate())
  await once(webSocket, 'open')
  return webSocket
}

/** A text frame from a client, with a 16-bit length. */
function frame(payload: Buffer): Buffer {
  const mask = [1, 2, 3, 4]
  return Buffer.concat([
    Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 255, ...mask]),
    payload.map((byte, i) => byte ^ (mask[i % 4] as number)),
  ])
}

function request(options: http.RequestOptions): { request: http.ClientRequest; body: Promise<string> } {
  const asked = http.request({ agent: false, ...options })
  const body = new Promise<string>((resolve, reject) => {
    asked.on('error', reject)
    asked.on('response', async (response) => {
      let text = ''
      try {
        for await (const chunk of response) text += chunk
        resolve(text)
      } catch (error) {
        reject(error)
      }
    })
  })
  return { request: asked, body }
}

test('a WebSocket whose async handler is behind: messages that wait, and bytes that were read and not looked at, move in order', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: [WS] }, { files: FILES })
  const webSocket = await openWebSocket(t, daemon)
  const received: number[] = []
  let code: unknown
  webSocket.on('message', (data) => received.push(Number(data)))
  webSocket.on('close', (closeCode) => {
    code = closeCode
  })
  webSocket.send('slow 400 0')
  const rest = Array.from({ length: 3000 }, (_, i) => i + 1)
  for (const n of rest) webSocket.send(`slow 0 ${n}`)
  await eventually('it is behind', async () => ((await daemon.status()).ports[0]?.messagesIn ?? 0) > 16)
  await reload(daemon)
  await eventually('all are answered', () => received.length >= rest.length + 1 || code !== undefined)

  assert.deepEqual(received, [0, ...rest])
})

test('what a WebSocket client has not read moves with its connection', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: [WS] }, { files: FILES })
  const webSocket = await openWebSocket(t, daemon)
  const received: number[] = []
  webSocket.on('message', (data) => received.push(Number.parseInt(String(data), 10)))
  const { _socket: socket } = webSocket as unknown as { _socket: net.Socket }
  socket.pause()
  webSocket.send('flood')
  await eventually('it is sent', async () => (await daemon.status()).ports[0]?.messagesOut === 7 * 1024)
  for (let i = 0; i < 3; i++) await reload(daemon)
  socket.resume()
  await eventually('all has come', () => received.length >= 7 * 1024)

  assert.deepEqual(
    received,
    Array.from({ length: 7 * 1024 }, (_, i) => i),
  )
})

test('a line, a WebSocket frame and a handshake are whole wherever two reloads cut them', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: [TCP, WS] }, { files: FILES })
  const [tcp, ws] = await Promise.all(['tcp', 'ws'].map((name) => daemon.address(name)))
  assert.ok(tcp && ws)
  const line = Buffer.from('hello world\r\nsecond\r\n')
  const payload = Buffer.from('größe '.repeat(30))
  const message = frame(payload)
  const clients: Client[] = []
  t.after(() => closeAll(clients))
  const rests: (() => Promise<void>)[] = []
  const cut = async (where: net.TcpNetConnectOpts, bytes: Buffer, at: number, head: string): Promise<(answer: Buffer | string) => Promise<void>> => {
    const client = await Client.open({ host: where.host ?? '', port: where.port })
    clients.push(client)
    client.write(head)
    if (head !== '') await client.until('\r\n\r\n')
    const before = client.received.length
    client.write(bytes.subarray(0, at))
    return async (answer) => {
      client.write(bytes.subarray(at))
      await client.until(before + answer.length)
      assert.deepEqual(client.received.subarray(before, before + answer.length).toString(), answer.toString(), `cut at ${at}`)
    }
  }
  for (let at = 0; at <= line.length; at++) {
    const finish = await cut(tcp, line, at, '')
    rests.push(() => finish(line))
  }
  for (let at = 0; at <= message.length; at++) {
    const finish = await cut(ws, message, at, HANDSHAKE)
    rests.push(() => finish(Buffer.concat([Buffer.from([0x81, 0x7e, payload.length >> 8, payload.length & 255]), payload])))
  }
  for (let at = 0; at <= HANDSHAKE.length; at += 3) {
    const finish = await cut(ws, Buffer.from(HANDSHAKE), at, '')
    rests.push(() => finish('HTTP/1.1 101'))
  }
  await reload(daemon)
  await reload(daemon)
  for (const finish of rests) await finish()
})

test('an onHandover that throws or rejects is logged and counted, and closes nothing', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: [TCP, WS] }, { files: FILES })
  for (const how of ['fail', 'fail later']) {
    const client = await Client.open(await daemon.address('tcp'))
    t.after(() => client.socket.destroy())
    client.write(`${how}\r\n`)
    await client.until('\r\n')
    const webSocket = await openWebSocket(t, daemon)
    webSocket.send(how)
    await once(webSocket, 'message')
    await reload(daemon)
    client.write('still here\r\n')
    await client.until('still here\r\n')
    webSocket.send('still here')
    assert.equal(String((await once(webSocket, 'message'))[0]), 'still here')
  }
  // The first two fail in the second reload, too.
  await becomes([3, 3], async () => (await daemon.status()).ports.map(({ errors }) => errors))
})

test('HTTP over reloads: an upload, a download and pipelined requests are finished where they began', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: [HTTP] }, { files: FILES })
  const where = await daemon.address('http')
  const up = request({ ...where, method: 'POST' })
  const down = request({ ...where, path: '/down' })
  down.request.end()
  const pipelined = await Client.open(where)
  t.after(() => pipelined.socket.destroy())
  pipelined.write(['/wait', '/1', '/2'].map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''))
  up.request.write(Buffer.alloc(1000))
  await eventually('all have come', async () => ((await daemon.status()).ports[0]?.messagesIn ?? 0) >= 3)
  for (let i = 0; i < 2; i++) {
    await reload(daemon)
    up.request.write(Buffer.alloc(500_000))
  }
  up.request.end()

  assert.equal(await up.body, 'length 1001000')
  assert.equal((await down.body).length, 40 * 64 * 1024 + 'length 0'.length)
  await eventually('three answers', () => pipelined.text.split('length 0').length === 4)
})

test('a handler that waits for something that never comes does not hold its worker: it ends by itself after maxWaitSeconds', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: [TCP], maxWaitSeconds: 1, spreadSeconds: 0 }, { files: FILES })
  const client = await Client.open(await daemon.address('tcp'))
  t.after(() => client.socket.destroy())
  const [old] = childrenOf(daemon.pid)
  client.write('never\r\n')
  await eventually('it has come', async () => (await daemon.status()).ports[0]?.messagesIn === 1)
  await reload(daemon)
  await eventually('the old worker is gone', () => !childrenOf(daemon.pid).includes(old ?? 0))

  assert.match(daemon.lines.join('\n'), /"msg":"onStop"/)
  assert.doesNotMatch(daemon.lines.join('\n'), /SIGKILL/)
})

test('moves that take longer than maxWaitSeconds: what waits for its turn is not taken for what cannot move', async (t) => {
  const slow = { ...TCP, options: { handoverMs: 15 } }
  const daemon = await DaemonProcess.start(t, { ports: [slow], maxWaitSeconds: 1, spreadSeconds: 0 }, { files: FILES })
  const where = await daemon.address('tcp')
  const clients = await Promise.all(Array.from({ length: 200 }, () => Client.open(where)))
  t.after(() => closeAll(clients))
  await reload(daemon)
  for (const client of clients) {
    client.write('still here\r\n')
    await client.until('still here\r\n')
  }
})

test('mode of a unix socket changes in a reload, and what fails leaves it as it was; one address cannot become all of them', async (t) => {
  const unix = { name: 'unix', protocol: 'tcp', path: './line.sock', mode: '0600', handler: './tcp.js' }
  const port = await freePort()
  const daemon = await DaemonProcess.start(t, { ports: [unix, { ...TCP, port }] }, { files: FILES })
  const path = join(daemon.dir, 'line.sock')
  const client = await Client.open({ path })
  t.after(() => client.socket.destroy())
  const mode = (): string => (statSync(path).mode & 0o777).toString(8)
  const change = (ports: object[]): void => writeFileSync(join(daemon.dir, 'config.json'), JSON.stringify({ runtimeDir: './run', ports }))
  change([
    { ...unix, mode: '0640' },
    { ...TCP, port },
  ])
  await reload(daemon)
  assert.equal(mode(), '640')
  client.write('hi\r\n')
  await client.until('hi\r\n')

  change([
    { ...unix, mode: '0666' },
    { ...TCP, port, host: '0.0.0.0' },
  ])
  const refused = await daemon.request('POST', '/api/reload')
  assert.equal(refused.status, 422)
  assert.match(refused.body, new RegExp(`port "tcp" cannot go from 127.0.0.1:${port} to 0.0.0.0:${port} while that is open: this needs a restart`))

  writeFileSync(join(daemon.dir, 'tcp.js'), `${readFileSync(join(daemon.dir, 'tcp.js'))} }`)
  change([
    { ...unix, mode: '0666' },
    { ...TCP, port },
  ])
  assert.equal((await daemon.request('POST', '/api/reload')).status, 422)
  await eventually('the mode is as it was', () => mode() === '640')
})

test('a stop with spreadSeconds closes connections one after another, with 1001', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: [TCP, WS], spreadSeconds: 2 }, { files: FILES })
  const times: number[] = []
  const codes = new Set<number>()
  for (let i = 0; i < 20; i++) {
    const webSocket = await openWebSocket(t, daemon)
    webSocket.on('close', (code) => {
      codes.add(code)
      times.push(performance.now() - start)
    })
    const client = await Client.open(await daemon.address('tcp'))
    t.after(() => client.socket.destroy())
    void client.closed.then(() => times.push(performance.now() - start))
  }
  const start = performance.now()
  const stopped = daemon.stop()
  assert.equal(await stopped, 0)
  await eventually('all are closed', () => times.length === 40)

  times.sort((a, b) => a - b)
  t.diagnostic(`closed between ${times[0]?.toFixed(0)} and ${times.at(-1)?.toFixed(0)} ms`)
  assert.deepEqual(codes, new Set([1001]))
  assert.ok((times.at(-1) ?? 0) - (times[0] ?? 0) > 1000, 'they were closed all at once')
  // Within the two seconds, and what a busy machine takes for it: without an end it would be the 30 s of maxWaitSeconds.
  assert.ok((times.at(-1) ?? 0) < 5000)
})
