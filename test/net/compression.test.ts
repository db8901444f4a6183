import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { WebSocket } from 'ws'
import { DaemonProcess } from '../daemon-process.ts'
import { frame, handshake, RawWebSocket } from './raw-websocket.ts'

const ROOM = `
import { WebSocketHandler } from 'polyport'
export default class Room extends WebSocketHandler {
  onUpgrade() { return { groups: ['all'] } }
  onMessage(connection, message) {
    if (message === 'who') connection.send(String(process.pid))
    else if (String(message).startsWith('all ')) this.daemon.publish('all', message)
    else connection.send(message)
  }
}
`
const OFFER = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' }
const TEXT = 'all of this is said again and again, '.repeat(100)

async function start(t: TestContext, compression: unknown, more: object = {}): Promise<{ daemon: DaemonProcess; port: number }> {
  const ports = [{ name: 'room', protocol: 'websocket', port: 0, handler: './room.js', compression, limits: { maxPayload: 1024 * 1024 } }]
  const daemon = await DaemonProcess.start(t, { ...more, ports }, { files: { 'room.js': ROOM } })
  return { daemon, port: (await daemon.address('room')).port }
}

async function client(t: TestContext, port: number, options: object = {}): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, options)
  t.after(() => socket.terminate())
  await once(socket, 'open')
  return socket
}

/** What the next message is, as text. */
async function next(socket: WebSocket): Promise<string> {
  const [data] = (await once(socket, 'message')) as [Buffer]
  return data.toString()
}

async function echo(socket: WebSocket, message: string): Promise<string> {
  const answer = next(socket)
  socket.send(message)
  return answer
}

function inflate(payload: Buffer): string {
  return inflateRawSync(Buffer.concat([payload, Buffer.from([0, 0, 0xff, 0xff])]), { finishFlush: constants.Z_SYNC_FLUSH }).toString()
}

test('compression: what is long enough and shrinks is compressed, each message by itself, and what is short, random or a pong is not', async (t) => {
  const { port } = await start(t, true)
  const raw = await RawWebSocket.open(port, handshake('/', OFFER))
  const noise = randomBytes(5000)
  raw.send(frame(1, TEXT), frame(1, 'short'), frame(2, noise), frame(1, TEXT), frame(9, 'ping'), frame(2, Buffer.from(TEXT)))

  assert.ok(await raw.until(() => raw.frames.length === 6))
  assert.match(raw.head, /^sec-websocket-extensions: permessage-deflate; server_no_context_takeover$/im)
  assert.deepEqual(
    raw.frames.map(({ opcode, rsv, payload }) => [opcode, rsv, rsv === 4 ? inflate(payload) : payload.toString('latin1')]),
    [
      [1, 4, TEXT],
      [1, 0, 'short'],
      [2, 0, noise.toString('latin1')],
      [1, 4, TEXT],
      [10, 0, 'ping'],
      [2, 4, TEXT],
    ],
  )
  raw.socket.destroy()
})

test('compression: a client that does not offer it, or not rightly, gets none; one with a small window gets messages that fit it', async (t) => {
  const { port } = await start(t, { threshold: 0, serverMaxWindowBits: 12 })
  const offers = { none: {}, wrong: { 'Sec-WebSocket-Extensions': 'permessage-deflate; server_max_window_bits=99; bogus=1' } }
  for (const [name, fields] of Object.entries(offers)) {
    const raw = await RawWebSocket.open(port, handshake('/', fields))
    raw.send(frame(1, TEXT))

    assert.ok(await raw.until(() => raw.frames.length === 1), name)
    assert.deepEqual([raw.status, /extensions/i.test(raw.head), raw.frames[0]?.rsv, raw.frames[0]?.payload.toString()], [101, false, 0, TEXT])
    raw.socket.destroy()
  }
  // More than the window far back, where a larger one would refer to.
  const far = randomBytes(3000).toString('hex')
  const small = await client(t, port, { perMessageDeflate: { serverMaxWindowBits: 12, threshold: 0 } })

  assert.equal(await echo(small, `${far}${far}`), `${far}${far}`)
})

test('compression: a publication reaches those with and without it, whole and in order', async (t) => {
  const { port } = await start(t, { threshold: 100 })
  const sockets = [await client(t, port), await client(t, port, { perMessageDeflate: false }), await client(t, port, { perMessageDeflate: { threshold: 0 } })]
  const got = sockets.map(() => [] as string[])
  for (const [i, socket] of sockets.entries()) socket.on('message', (data) => got[i]?.push(String(data)))
  const sent = Array.from({ length: 200 }, (_, i) => `all ${i} ${'x'.repeat(i * 7)}`)
  for (const message of sent) sockets[0]?.send(message)
  const last = sockets.map((socket, i) => new Promise<void>((resolve) => socket.on('message', () => got[i]?.length === sent.length && resolve())))
  await Promise.all(last)

  for (const messages of got) assert.deepEqual(messages, sent)
})

test('compression: what inflates past maxPayload closes with 1009, and garbage is closed', async (t) => {
  const { daemon, port } = await start(t, true)
  const bomb = deflateRawSync(Buffer.alloc(64 * 1024 * 1024)).subarray(0, -1)
  for (const [payload, codes] of [
    [bomb, [1009]],
    [Buffer.from('no deflate at all'), [1007, 1002, 1011]],
  ] as const) {
    const raw = await RawWebSocket.open(port, handshake('/', OFFER))
    raw.send(frame(2, payload, { rsv: 4 }))

    assert.ok(await raw.until(() => raw.closeCode !== 0))
    assert.ok((codes as readonly number[]).includes(raw.closeCode), String(raw.closeCode))
    raw.socket.destroy()
  }
  assert.equal((await client(t, port)).readyState, WebSocket.OPEN)
  assert.equal((await daemon.status()).workers[0]?.restarts, 0)
})

test('compression: without context takeover a connection moves to the new worker in a reload; with it, it is served, and then closed with 1012', async (t) => {
  const { daemon, port } = await start(t, { threshold: 0, clientNoContextTakeover: true }, { maxWaitSeconds: 2, spreadSeconds: 1 })
  const mover = await client(t, port, { perMessageDeflate: { threshold: 0 } })
  const before = await echo(mover, 'who')
  assert.equal((await daemon.request('POST', '/api/reload')).status, 200)

  assert.notEqual(await echo(mover, 'who'), before)
  for (const message of [TEXT, 'short', `${TEXT}${TEXT}`]) assert.equal(await echo(mover, message), message)
})

test('compression: with context takeover a connection is served by its worker over a reload, and then closed with 1012', async (t) => {
  const { daemon, port } = await start(t, { threshold: 0 }, { maxWaitSeconds: 2, spreadSeconds: 1 })
  const stayer = await client(t, port, { perMessageDeflate: { threshold: 0 } })
  assert.equal(await echo(stayer, TEXT), TEXT)
  const before = await echo(stayer, 'who')
  const closed = once(stayer, 'close')
  const reload = daemon.request('POST', '/api/reload')

  assert.equal(await echo(stayer, TEXT), TEXT)
  assert.equal(await echo(stayer, 'who'), before)
  assert.equal((await reload).status, 200)
  assert.equal((await closed)[0], 1012)
})
