import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { deserialize, serialize } from 'node:v8'
import { type WebSocket, WebSocketServer } from 'ws'
import { type ReaderState, readerState, restoreWebSocket } from '../../src/net/ws-internals.ts'

/*
 * What Polyport relies on and ws does not document. When a new ws breaks one of these, it is here that it shows:
 * - webSocket._receiver and the fields of it that src/net/ws-internals.ts lists; _loop, _errored
 * - webSocket._socket, while it is open
 * - webSocket._protocol; new WebSocket(null, undefined, options) of a server; setSocket(socket, head, options)
 * - of crypto, https, tls and zlib it takes functions when it is loaded, and constants later
 */

const MASK = Buffer.from([1, 2, 3, 4])

function frame(text: string, { opcode = 1, fin = true } = {}): Buffer {
  const payload = Buffer.from(text)
  const head =
    payload.length < 126
      ? Buffer.from([(fin ? 0x80 : 0) | opcode, 0x80 | payload.length])
      : Buffer.from([(fin ? 0x80 : 0) | opcode, 0xfe, payload.length >> 8, payload.length & 255])
  return Buffer.concat([head, MASK, payload.map((byte, i) => byte ^ (MASK[i % 4] as number))])
}

/** A server's WebSocket and the raw client at its other end. */
async function pair(t: TestContext): Promise<{ wss: WebSocketServer; webSocket: WebSocket; client: net.Socket; socket: net.Socket }> {
  const server = http.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const wss = new WebSocketServer({ noServer: true, perMessageDeflate: false, autoPong: false, handleProtocols: () => 'chat' })
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  t.after(() => {
    client.destroy()
    server.close()
    server.closeAllConnections()
  })
  client.write(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n\r\n',
  )
  const [request, socket, head] = (await once(server, 'upgrade')) as [http.IncomingMessage, net.Socket, Buffer]
  t.after(() => socket.destroy())
  const webSocket = await new Promise<WebSocket>((resolve) => wss.handleUpgrade(request, socket, head, resolve))
  return { wss, webSocket, client, socket }
}

/** Lets the socket, as it is, go on under another WebSocket. */
function move(wss: WebSocketServer, webSocket: WebSocket, socket: net.Socket): WebSocket {
  const state = readerState(webSocket)
  assert.ok(state)
  socket.pause()
  for (const event of ['data', 'end', 'close', 'error']) socket.removeAllListeners(event)
  const next = restoreWebSocket(wss, socket, deserialize(serialize(state)) as ReaderState)
  next.resume()
  return next
}

test('a message is received whole wherever its bytes are cut by a move, in fragments and with a ping between', async (t) => {
  const texts = ['short', 'long '.repeat(60), 'in fragments', 'ü€😀']
  const bytes = Buffer.concat([
    frame('short'),
    frame('long '.repeat(60)),
    frame('in fr', { fin: false }),
    frame('p', { opcode: 9 }),
    frame('agments', { opcode: 0 }),
    frame('ü€😀'),
  ])
  const { wss, webSocket, client, socket } = await pair(t)
  const received: string[] = []
  let pings = 0
  const listen = (on: WebSocket): void => {
    on.on('message', (data) => received.push(String(data)))
    on.on('ping', () => pings++)
  }
  let current = webSocket
  listen(current)
  let numRead = socket.bytesRead
  for (const byte of bytes) {
    client.write(Buffer.from([byte]))
    numRead++
    while (socket.bytesRead < numRead) await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
    current = move(wss, current, socket)
    listen(current)
  }
  assert.deepEqual(received, texts)
  assert.equal(pings, 1)
  assert.equal(current.protocol, 'chat')
})

test('a WebSocket that was moved sends, closes with a code, and still refuses what breaks the protocol', async (t) => {
  const { wss, webSocket, client, socket } = await pair(t)
  let bytes = Buffer.alloc(0)
  client.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
  })
  const moved = move(wss, webSocket, socket)
  moved.on('error', () => {})
  moved.send('hi')
  // Unmasked: RFC 6455 section 5.1.
  client.write(Buffer.from([0x81, 0x01, 0x41]))
  await once(moved, 'error')
  while (!bytes.includes(Buffer.from([0x03, 0xea]))) await once(client, 'data')
  assert.ok(bytes.includes(Buffer.from([0x81, 0x02, 0x68, 0x69])))
})

test('a server loads what only clients, compression and handshakes need when these need it', () => {
  const internals = fileURLToPath(new URL('../../src/net/ws-internals.ts', import.meta.url))
  const program = `
    import { createWebSocketServer } from ${JSON.stringify(internals)}
    createWebSocketServer({ noServer: true })
    console.log(['crypto', 'https', 'tls', 'zlib'].filter((name) => process.moduleLoadList.includes('NativeModule ' + name)).join())`

  const { stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '--eval', program], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  })

  assert.equal(stdout + stderr, '\n')
})
