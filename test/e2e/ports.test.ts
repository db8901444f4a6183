import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { Client, DaemonProcess } from '../daemon-process.ts'
import { becomes } from '../reliability/process-figures.ts'

const ECHO = `
import { TcpHandler } from 'polyport'
export default class Echo extends TcpHandler { onReceive(connection, message) { connection.send(message) } }
`
const ECHO_UDP = `
import { UdpHandler } from 'polyport'
export default class Echo extends UdpHandler { onPacket(packet, peer) { peer.send(this.daemon.worker.slot + ':' + packet) } }
`
const HELLO = `
import { HttpHandler } from 'polyport'
export default class Hello extends HttpHandler {
  onRequest(request, response) { response.end(request.method + ' ' + request.url + ' on ' + this.port.name) }
}
`
const ECHO_WEBSOCKET = `
import { WebSocketHandler } from 'polyport'
export default class Echo extends WebSocketHandler {
  onUpgrade(request) {
    if (request.url.includes('deny')) return false
    if (request.url.includes('teapot')) return { status: 418, body: 'short and stout' }
    if (request.url.includes('throw')) throw new Error('on purpose')
    return { protocol: request.url.includes('proto') ? 'v2' : undefined }
  }
  onMessage(connection, message) { connection.send(message) }
}
`
const RAW = `
import { StreamHandler } from 'polyport'
export default class Raw extends StreamHandler { onStream(stream, info) { stream.write(info.port + '\\n'); stream.pipe(stream) } }
`
const FRAMING = `
export default class Stars {
  frameLength(buffer, scanned) { const at = buffer.indexOf('*', scanned); return at === -1 ? 0 : at + 1 }
  decode(frame) { return frame.subarray(0, -1) }
  encode(message) { return Buffer.concat([message, Buffer.from('*')]) }
}
`
const FILES = { 'echo.js': ECHO, 'udp.js': ECHO_UDP, 'hello.js': HELLO, 'ws.js': ECHO_WEBSOCKET, 'raw.js': RAW, 'stars.js': FRAMING }

async function ask(where: { host: string; port: number } | { path: string }, bytes: string | Uint8Array, answer: number | string): Promise<string> {
  const client = await Client.open(where)
  client.write(bytes)
  const text = await client.until(answer)
  client.socket.destroy()
  return text
}

function get(options: http.RequestOptions): Promise<{ status: number; body: string; headers: http.IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    const request = http.get({ agent: false, ...options }, async (response) => {
      let body = ''
      for await (const chunk of response) body += chunk
      resolve({ status: response.statusCode ?? 0, body, headers: response.headers })
    })
    request.on('error', reject)
  })
}

async function webSocketEcho(url: string, message: string | Buffer): Promise<string | Buffer> {
  const socket = new WebSocket(url)
  await once(socket, 'open')
  socket.send(message)
  const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean]
  socket.close()
  await once(socket, 'close')
  return isBinary ? data : data.toString()
}

test('tcp with eof, length, raw and custom framing', async (t) => {
  const tcp = (name: string, framing?: object): object => ({ name, protocol: 'tcp', port: 0, handler: './echo.js', ...(framing && { framing }) })
  const ports = [
    tcp('default'),
    tcp('zero', { type: 'eof', eof: '\\0' }),
    tcp('keep', { type: 'eof', eof: '\n', keepEof: true }),
    tcp('u16', { type: 'length', field: 'u16be' }),
    tcp('header', { type: 'length', field: 'u32le', offset: 2, bodyOffset: 0 }),
    tcp('raw', { type: 'raw' }),
    tcp('custom', { type: 'custom', module: './stars.js' }),
    tcp('short', { type: 'eof', maxLength: 8 }),
  ]
  const daemon = await DaemonProcess.start(t, { ports, log: { level: 'debug' } }, { files: FILES })

  assert.equal(await ask(await daemon.address('default'), 'one\r\n\r\ntwo\r\nthr', 'two\r\n'), 'one\r\n\r\ntwo\r\n')
  assert.equal(await ask(await daemon.address('zero'), 'a\0b\0', 4), 'a\0b\0')
  assert.equal(await ask(await daemon.address('keep'), 'a\nb\n', 4), 'a\nb\n')
  assert.equal(await ask(await daemon.address('u16'), '\x00\x03abc\x00\x00', 7), '\x00\x03abc\x00\x00')
  const frame = Buffer.from([1, 2, 9, 0, 0, 0, 7, 8, 9])
  assert.deepEqual(Buffer.from(await ask(await daemon.address('header'), frame, 9), 'latin1'), frame)
  assert.equal(await ask(await daemon.address('raw'), 'anything', 8), 'anything')
  assert.equal(await ask(await daemon.address('custom'), 'a*bc*', 5), 'a*bc*')

  const long = await Client.open(await daemon.address('short'))
  long.write('12345678\r\n123456789\r\n')
  await long.closed
  assert.equal(long.text, '12345678\r\n')
  await daemon.line(/"reason":"frame_too_long","msg":"Connection closed"/)
  await becomes(true, async () => /polyport_connections_closed_total\{port="short",reason="frame_too_long"\} 1\n/.test(await daemon.metrics()))
})

test('udp over IPv4 and IPv6: with several workers a peer stays with one', async (t) => {
  const ports = [
    { name: 'v4', protocol: 'udp', port: 0, handler: './udp.js' },
    { name: 'v6', protocol: 'udp', host: '::1', port: 0, handler: './udp.js' },
  ]
  const daemon = await DaemonProcess.start(t, { workers: 3, ports }, { files: FILES })
  for (const [name, type] of [
    ['v4', 'udp4'],
    ['v6', 'udp6'],
  ] as const) {
    const { host, port } = await daemon.address(name)
    const slots = new Set<string>()
    for (let peer = 0; peer < 30; peer++) {
      const socket = dgram.createSocket(type)
      const own = new Set<string>()
      for (let i = 0; i < 3; i++) {
        socket.send(`hi ${i}`, port, host)
        const [answer, from] = (await once(socket, 'message')) as [Buffer, { port: number; address: string }]
        assert.deepEqual([from.port, from.address], [port, host])
        const [slot, text] = answer.toString().split(':')
        assert.equal(text, `hi ${i}`)
        own.add(slot ?? '')
      }
      assert.equal(own.size, 1, 'one peer, one worker')
      for (const slot of own) slots.add(slot)
      socket.close()
    }
    assert.ok(slots.size > 1, `30 peers of ${name} met only the workers ${[...slots]}`)
  }
})

function close(this: WebSocket): void {
  this.close()
}

test('http, with the Server header, and WebSocket on a path of it', async (t) => {
  const ports = [{ name: 'web', protocol: 'http', port: 0, handler: './hello.js', websocket: { path: '/ws', handler: './ws.js' } }]
  const daemon = await DaemonProcess.start(t, { ports, serverHeader: 'mine' }, { files: FILES })
  const { host, port } = await daemon.address('web')

  const page = await get({ host, port, path: '/x?y' })
  assert.deepEqual([page.status, page.body, page.headers['server']], [200, 'GET /x?y on web', 'mine'])
  const handshake = once(new WebSocket(`ws://${host}:${port}/ws`).on('open', close), 'upgrade') as Promise<[http.IncomingMessage]>
  assert.equal((await handshake)[0].headers['server'], 'mine')
  assert.equal(await webSocketEcho(`ws://${host}:${port}/ws?q`, 'text'), 'text')
  assert.deepEqual(await webSocketEcho(`ws://${host}:${port}/ws`, Buffer.from([0, 255])), Buffer.from([0, 255]))
  const upgrade = { Connection: 'Upgrade', Upgrade: 'h2c' }
  assert.equal((await get({ host, port, path: '/plain', headers: upgrade })).body, 'GET /plain on web')
  const elsewhere = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '13' }
  assert.equal((await get({ host, port, path: '/other', headers: elsewhere })).body, 'GET /other on web')
})

test('websocket alone: refusals, subprotocol, too long a message', async (t) => {
  const ports = [{ name: 'chat', protocol: 'websocket', port: 0, handler: './ws.js', limits: { maxPayload: 1000 } }]
  const daemon = await DaemonProcess.start(t, { ports, log: { level: 'debug' } }, { files: FILES })
  const { host, port } = await daemon.address('chat')
  const url = `ws://${host}:${port}`
  const refusal = async (path: string): Promise<[number, string]> => {
    const [, response] = (await once(
      new WebSocket(`${url}${path}`).on('error', () => {}),
      'unexpected-response',
    )) as [unknown, http.IncomingMessage]
    let body = ''
    for await (const chunk of response) body += chunk
    return [response.statusCode ?? 0, body]
  }

  assert.equal((await get({ host, port })).status, 426)
  assert.deepEqual(await refusal('/deny'), [403, 'Forbidden'])
  assert.deepEqual(await refusal('/teapot'), [418, 'short and stout'])
  assert.deepEqual(await refusal('/throw'), [500, 'Internal Server Error'])
  const chosen = new WebSocket(`${url}/proto`, ['v1', 'v2'])
  await once(chosen, 'open')
  assert.equal(chosen.protocol, 'v2')
  chosen.send('x'.repeat(1000))
  await once(chosen, 'message')
  chosen.send('x'.repeat(1001))
  const [code] = await once(chosen, 'close')
  assert.equal(code, 1009)
  await daemon.line(/"reason":"frame_too_long","msg":"Connection closed"/)
  await becomes(true, async () => /polyport_connections_closed_total\{port="chat",reason="frame_too_long"\} 1\n/.test(await daemon.metrics()))
  assert.match(await daemon.metrics(), /polyport_connections_refused_total\{port="chat",reason="denied"\} 3\n/)
})

test('stream hands out the raw duplex', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: [{ name: 'raw', protocol: 'stream', port: 0, handler: './raw.js' }] }, { files: FILES })
  assert.equal(await ask(await daemon.address('raw'), 'abc', 'abc'), 'raw\nabc')
})

test('unix sockets for tcp, http, websocket and stream, with mode, and gone after a stop', async (t) => {
  const at = (protocol: string, handler: string): object => ({ name: protocol, protocol, path: `./${protocol}.sock`, mode: '0600', handler })
  const ports = [at('tcp', './echo.js'), at('http', './hello.js'), at('websocket', './ws.js'), at('stream', './raw.js')]
  const daemon = await DaemonProcess.start(t, { workers: 2, ports }, { files: FILES })
  const path = (protocol: string): string => join(daemon.dir, `${protocol}.sock`)

  assert.equal(await ask({ path: path('tcp') }, 'line\r\n', '\r\n'), 'line\r\n')
  assert.equal((await get({ socketPath: path('http'), path: '/u' })).body, 'GET /u on http')
  assert.equal(await webSocketEcho(`ws+unix://${path('websocket')}:/`, 'over unix'), 'over unix')
  assert.equal(await ask({ path: path('stream') }, 'x', '\nx'), 'stream\nx')
  assert.equal(statSync(path('tcp')).mode & 0o777, 0o600)
  assert.equal(await daemon.stop(), 0)
  for (const protocol of ['tcp', 'http', 'websocket', 'stream']) assert.equal(existsSync(path(protocol)), false)
})
