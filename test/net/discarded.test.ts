import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'
import { DaemonProcess } from '../daemon-process.ts'
import { MIB } from '../reliability/process-figures.ts'
import { authority, serverCertificate } from '../tls-daemon.ts'

const FILES = {
  'cert.pem': serverCertificate.cert,
  'key.pem': serverCertificate.key,
  'tcp.js': `
import { TcpHandler } from 'polyport'
export default class Bye extends TcpHandler {
  onReceive(connection) { connection.close('bye') }
}`,
  'http.js': `
import { HttpHandler } from 'polyport'
export default class Late extends HttpHandler {
  async onRequest(request, response) {
    for await (const chunk of request);
    response.end('done')
  }
}`,
  'ws.js': `
import { WebSocketHandler } from 'polyport'
export default class Bye extends WebSocketHandler {
  onMessage(connection) { connection.close('bye') }
}`,
}
const TLS = { cert: './cert.pem', key: './key.pem' }
const LIMITS = { maxPayload: 2 * MIB }
const HTTP = { protocol: 'http', port: 0, handler: './http.js' }
const REFUSING = [
  { ...HTTP, name: 'announced' },
  { ...HTTP, name: 'chunked' },
  { ...HTTP, name: 'chunked-tls', tls: TLS },
  { ...HTTP, name: 'malformed' },
  { name: 'upgrade', protocol: 'websocket', port: 0, handler: './ws.js', origins: ['https://example.org'] },
]
const PORTS = [
  { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js' },
  { name: 'tls', protocol: 'tcp', port: 0, handler: './tcp.js', tls: TLS },
  { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js', limits: LIMITS },
  { name: 'wss', protocol: 'websocket', port: 0, handler: './ws.js', limits: LIMITS, tls: TLS },
  { name: 'ws-client', protocol: 'websocket', port: 0, handler: './ws.js', limits: LIMITS },
  { name: 'ws-error', protocol: 'websocket', port: 0, handler: './ws.js', limits: LIMITS },
]
const HANDSHAKE =
  'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
const CLOSE = Buffer.from('888200000000' + '03e8', 'hex')
// RFC 6455 section 5.2: no such opcode.
const WRONG = Buffer.from('838000000000', 'hex')
const CHUNK = Buffer.alloc(64 * 1024, 'x')

/** A binary message, masked by zeros. */
function frame(payload: Buffer): Buffer {
  const head = Buffer.alloc(14)
  head[0] = 0x82
  head[1] = 0xff
  head.writeBigUInt64BE(BigInt(payload.length), 2)
  return Buffer.concat([head, payload])
}

/** Says that, and goes on and on until the connection is closed. */
async function flood(socket: net.Socket, first: Buffer, chunk: Buffer): Promise<void> {
  let isClosed = false
  const closed = new Promise<void>((resolve) =>
    socket.on('close', () => {
      isClosed = true
      resolve()
    }),
  )
  socket.write(first)
  while (!isClosed) {
    const hasRoom = socket.write(chunk)
    await Promise.race([hasRoom ? new Promise(setImmediate) : once(socket, 'drain').catch(() => {}), closed])
  }
}

async function connectTo(t: TestContext, daemon: DaemonProcess, name: string): Promise<net.Socket> {
  // It goes on when the other side has ended.
  const where = { ...(await daemon.address(name)), allowHalfOpen: true }
  const isTls = name.endsWith('tls') || name === 'wss'
  const socket = isTls ? tls.connect({ ...where, servername: 'localhost', ca: authority.cert, ALPNProtocols: [] }) : net.connect(where)
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  socket.resume()
  await once(socket, isTls ? 'secureConnect' : 'connect')
  return socket
}

/** MiB that each port has read. */
async function mibReceived(daemon: DaemonProcess): Promise<{ port: string | undefined; mib: number }[]> {
  return Array.from((await daemon.metrics()).matchAll(/^polyport_bytes_received_total\{port="([\w-]+)"\} (\d+)$/gm), ([, port, bytes]) => ({
    port,
    mib: Number(bytes) / MIB,
  }))
}

test('of what a client sends behind the end of its connection no more than 1 MiB is read, whatever the protocol', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: PORTS }, { files: FILES })
  const connect = (name: string): Promise<net.Socket> => connectTo(t, daemon, name)
  const upgrade = async (name: string): Promise<net.Socket> => {
    const socket = await connect(name)
    socket.write(HANDSHAKE)
    await once(socket, 'data')
    return socket
  }
  const message = frame(Buffer.from('close me'))

  await Promise.all([
    flood(await connect('tcp'), Buffer.from('close me\r\n'), CHUNK),
    flood(await connect('tls'), Buffer.from('close me\r\n'), CHUNK),
    flood(await upgrade('ws'), message, frame(CHUNK)),
    flood(await upgrade('wss'), message, frame(CHUNK)),
    flood(await upgrade('ws-client'), CLOSE, CHUNK),
    flood(await upgrade('ws-error'), WRONG, CHUNK),
  ])

  const received = await mibReceived(daemon)
  assert.equal(received.length, PORTS.length)
  t.diagnostic(received.map(({ port, mib }) => `${port} ${mib.toFixed(2)} MiB`).join(', '))
  assert.deepEqual(
    received.filter(({ mib }) => mib > 1.5),
    [],
  )
})

test('of what a client sends behind a request that is refused no more than 16 MiB is read', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: REFUSING }, { files: FILES })
  const connect = (name: string): Promise<net.Socket> => connectTo(t, daemon, name)
  const head = (...fields: string[]): Buffer => Buffer.from(['POST / HTTP/1.1', 'Host: x', ...fields, '\r\n'].join('\r\n'))
  const chunk = Buffer.concat([Buffer.from(`${CHUNK.length.toString(16)}\r\n`), CHUNK, Buffer.from('\r\n')])

  await Promise.all([
    flood(await connect('announced'), head('Content-Length: 1000000000000'), CHUNK),
    flood(await connect('chunked'), head('Transfer-Encoding: chunked'), chunk),
    flood(await connect('chunked-tls'), head('Transfer-Encoding: chunked'), chunk),
    flood(await connect('malformed'), Buffer.from('what?\r\n\r\n'), CHUNK),
    flood(await connect('upgrade'), Buffer.from(HANDSHAKE.replace('Host: x', 'Host: x\r\nOrigin: https://example.net')), CHUNK),
  ])

  const received = await mibReceived(daemon)
  assert.equal(received.length, REFUSING.length)
  t.diagnostic(received.map(({ port, mib }) => `${port} ${mib.toFixed(2)} MiB`).join(', '))
  assert.deepEqual(
    // 4 MiB are the body that it may have.
    received.filter(({ mib }) => mib > 21),
    [],
  )
})

test('a client that reads only when it has sent a body which is too long gets its 413', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: REFUSING }, { files: FILES })
  const body = Buffer.alloc(12 * MIB)
  const upload = async (): Promise<string> => {
    const socket = await connectTo(t, daemon, 'announced')
    socket.pause()
    const answer = new Promise<string>((resolve) => {
      socket.once('data', (data) => resolve(String(data)))
      socket.once('close', () => resolve(''))
    })
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`)
    socket.write(body, () => socket.resume())
    return answer
  }
  let answer = ''
  // It has a second, which is little where the machine is busy.
  for (let tries = 0; tries < 5 && !answer.startsWith('HTTP'); tries++) answer = await upload()

  assert.match(answer, /^HTTP\/1\.1 413 /)
})
