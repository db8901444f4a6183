import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DaemonProcess } from '../daemon-process.ts'
import { becomes } from '../reliability/process-figures.ts'
import { closeFrame, frame, handshake, RawWebSocket } from './raw-websocket.ts'

const ECHO = `
import { WebSocketHandler } from 'polyport'
export default class Echo extends WebSocketHandler {
  async onUpgrade(request) {
    if (request.url === '/never') await new Promise(() => {})
    if (request.url === '/v2') return { protocol: 'v2' }
    if (request.url === '/inject') return { protocol: 'v1\\r\\nX-Evil: 1' }
    if (request.url === '/socket') return { data: { from: request.socket.remoteAddress } }
  }
  onMessage(connection, message) { connection.send(connection.data.from ?? message) }
}
`
const MAX = 65_536

interface Handshake {
  readonly rule: string
  readonly path?: string
  readonly fields: Readonly<Record<string, string | null>>
  readonly status: number
  /** What the head of the answer must match. */
  readonly head?: RegExp
}

const GOOD = 'https://good.example'
const HANDSHAKES: readonly Handshake[] = [
  { rule: 'RFC 6455 4.2.2: a valid handshake', fields: {}, status: 101, head: /^sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=$/im },
  { rule: 'RFC 6455 4.2.1: values are lists, without regard to case', fields: { Connection: 'keep-alive, uPGRADE', Upgrade: 'WebSocket' }, status: 101 },
  { rule: 'RFC 6455 4.2.1: no key', fields: { 'Sec-WebSocket-Key': null }, status: 400 },
  { rule: 'RFC 6455 4.2.1: a key that is not 16 bytes', fields: { 'Sec-WebSocket-Key': 'c2hvcnQ=' }, status: 400 },
  {
    rule: 'RFC 6455 11.3.1: two keys',
    fields: { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' },
    status: 400,
  },
  { rule: 'RFC 6455 4.2.2: another version', fields: { 'Sec-WebSocket-Version': '7' }, status: 426, head: /^sec-websocket-version: 13$/im },
  { rule: 'RFC 6455 4.2.1: no version', fields: { 'Sec-WebSocket-Version': null }, status: 426 },
  { rule: 'RFC 6455 4.1: no list of subprotocols', fields: { 'Sec-WebSocket-Protocol': 'a,,b, c d' }, status: 400 },
  { rule: 'RFC 9110 7.8: no Upgrade', fields: { Upgrade: null, Connection: 'close' }, status: 426 },
  { rule: 'RFC 9110 7.8: another protocol', fields: { Upgrade: 'h2c' }, status: 426 },
  { rule: 'an origin that is listed', fields: { Origin: GOOD }, status: 101 },
  { rule: 'an origin that is listed, in capitals', fields: { Origin: 'HTTPS://GOOD.example' }, status: 101 },
  { rule: 'another origin', fields: { Origin: 'https://evil.example' }, status: 403 },
  { rule: 'an origin that begins with one that is listed', fields: { Origin: `${GOOD}.evil.example` }, status: 403 },
  { rule: 'an origin that ends with one that is listed', fields: { Origin: 'https://evilgood.example' }, status: 403 },
  { rule: 'a listed origin with another scheme', fields: { Origin: 'http://good.example' }, status: 403 },
  { rule: 'a listed origin with another port', fields: { Origin: `${GOOD}:8443` }, status: 403 },
  { rule: 'the origin null', fields: { Origin: 'null' }, status: 403 },
  { rule: 'two origins, one of them listed', fields: { Origin: `${GOOD}\r\nOrigin: https://evil.example` }, status: 403 },
  { rule: 'no browser: no origin', fields: { Origin: null }, status: 101 },
  {
    rule: 'RFC 6455 4.2.2: a subprotocol that was offered is chosen',
    path: '/v2',
    fields: { 'Sec-WebSocket-Protocol': 'v1, v2' },
    status: 101,
    head: /^sec-websocket-protocol: v2$/im,
  },
  {
    rule: 'RFC 6455 4.2.2: one that was not offered is not',
    path: '/v2',
    fields: { 'Sec-WebSocket-Protocol': 'v1' },
    status: 101,
    head: /^(?!.*sec-websocket-protocol)/is,
  },
  { rule: 'a handler cannot add lines to the answer', path: '/inject', fields: { 'Sec-WebSocket-Protocol': 'v1' }, status: 101, head: /^(?!.*evil)/is },
  {
    rule: 'RFC 7692 5: compression is declined where it is off',
    fields: { 'Sec-WebSocket-Extensions': 'permessage-deflate' },
    status: 101,
    head: /^(?!.*extensions)/is,
  },
]

interface Breach {
  readonly rule: string
  readonly frames: readonly Buffer[]
  readonly code: number
  readonly reason: 'error' | 'frame_too_long'
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const BREACHES: readonly Breach[] = [
  { rule: 'RFC 6455 5.1: no mask', frames: [frame(1, 'hello', { isMasked: false })], code: 1002, reason: 'error' },
  ...[1, 2, 4].map((rsv) => ({ rule: `RFC 6455 5.2: reserved bits ${rsv}`, frames: [frame(1, 'hello', { rsv })], code: 1002, reason: 'error' }) as const),
  ...[3, 7, 11, 15].map((opcode) => ({ rule: `RFC 6455 5.2: opcode ${opcode}`, frames: [frame(opcode, 'x')], code: 1002, reason: 'error' }) as const),
  { rule: 'RFC 6455 5.4: a continuation of nothing', frames: [frame(0, 'x')], code: 1002, reason: 'error' },
  { rule: 'RFC 6455 5.4: a message in another', frames: [frame(1, 'a', { fin: false }), frame(1, 'b')], code: 1002, reason: 'error' },
  { rule: 'RFC 6455 5.5: a ping in fragments', frames: [frame(9, 'a', { fin: false })], code: 1002, reason: 'error' },
  { rule: 'RFC 6455 5.5: a ping of 126 bytes', frames: [frame(9, 'a'.repeat(126))], code: 1002, reason: 'error' },
  { rule: 'RFC 6455 5.5.1: a close frame of one byte', frames: [frame(8, 'x')], code: 1002, reason: 'error' },
  ...[0, 999, 1004, 1005, 1006, 1015, 2999, 5000].map(
    (code) => ({ rule: `RFC 6455 7.4: close code ${code}`, frames: [closeFrame(code)], code: 1002, reason: 'error' }) as const,
  ),
  { rule: 'RFC 6455 8.1: no UTF-8', frames: [frame(1, hex('c0af'))], code: 1007, reason: 'error' },
  { rule: 'RFC 6455 8.1: no UTF-8 over two fragments', frames: [frame(1, hex('cebaed'), { fin: false }), frame(0, hex('a080'))], code: 1007, reason: 'error' },
  { rule: 'RFC 6455 8.1: no UTF-8 in a close reason', frames: [closeFrame(1000, hex('ff'))], code: 1007, reason: 'error' },
  { rule: 'RFC 6455 7.4.1: the head of a frame over maxPayload', frames: [frame(2, '', { claimed: BigInt(MAX + 1) })], code: 1009, reason: 'frame_too_long' },
  { rule: 'RFC 6455 7.4.1: the head of a frame of 2^60 bytes', frames: [frame(2, '', { claimed: 1n << 60n })], code: 1009, reason: 'frame_too_long' },
  {
    rule: 'RFC 6455 7.4.1: fragments over maxPayload',
    frames: [frame(2, Buffer.alloc(MAX), { fin: false }), frame(0, 'x', { fin: false })],
    code: 1009,
    reason: 'frame_too_long',
  },
  {
    rule: 'more than maxFragments',
    frames: [frame(2, 'x', { fin: false }), ...Array.from({ length: 20 }, () => frame(0, '', { fin: false }))],
    code: 1008,
    reason: 'frame_too_long',
  },
]

test('a WebSocket port', async (t) => {
  const limits = { maxPayload: MAX, maxFragments: 16, upgradeSeconds: 0.5, headerSeconds: 1 }
  const ports = [{ name: 'socket', protocol: 'websocket', port: 0, handler: './echo.js', limits, origins: [GOOD] }]
  const daemon = await DaemonProcess.start(t, { ports }, { files: { 'echo.js': ECHO } })
  const { port } = await daemon.address('socket')
  const open = (path = '/', frames: readonly Buffer[] = []): Promise<RawWebSocket> => RawWebSocket.open(port, handshake(path), frames)
  const counted = async (pattern: RegExp): Promise<number> => {
    const lines = (await daemon.metrics()).split('\n').filter((line) => pattern.test(line))
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }

  // A close is counted when the server has seen it, too.
  const reaches = (pattern: RegExp, value: number): Promise<void> => becomes(value, () => counted(pattern))

  for (const { rule, path = '/', fields, status, head } of HANDSHAKES) {
    await t.test(`${rule}: ${status}`, async () => {
      const pattern = status === 403 ? /^polyport_connections_refused_total\{.*reason="origin"/ : /^polyport_requests_refused_total/
      const before = await counted(pattern)
      const client = await RawWebSocket.open(port, handshake(path, fields))

      assert.equal(client.status, status)
      assert.match(client.head, head ?? /./)
      if (status === 101) {
        client.socket.destroy()
        return
      }
      // What only does not ask for a WebSocket is told of it, and may ask again.
      if (fields['Upgrade'] === undefined) {
        assert.ok(await client.until(() => client.isClosed))
        await reaches(pattern, before + 1)
      }
      client.socket.destroy()
    })
  }

  for (const { rule, frames, code, reason } of BREACHES) {
    await t.test(`${rule}: closed with ${code}, reason ${reason}`, async () => {
      const pattern = new RegExp(`^polyport_connections_closed_total\\{.*reason="${reason}"`)
      const before = await counted(pattern)
      const client = await open()
      client.send(...frames)

      assert.ok(await client.until(() => client.closeCode !== 0))
      assert.equal(client.closeCode, code)
      client.send(closeFrame(code))
      assert.ok(await client.until(() => client.isClosed))
      await reaches(pattern, before + 1)
    })
  }

  await t.test('a message of exactly maxPayload is taken', async () => {
    const client = await open()
    client.send(frame(2, Buffer.alloc(MAX, 7)))

    assert.ok(await client.until(() => client.frames.length > 0))
    assert.equal(client.frames[0]?.payload.length, MAX)
    client.socket.destroy()
  })

  await t.test('a frame in one segment with the handshake is not lost, and UTF-8 may be cut anywhere', async () => {
    const bytes = Buffer.from('κ𝄞€')
    const fragments = [...bytes].map((byte, i) => frame(i === 0 ? 1 : 0, Buffer.from([byte]), { fin: i === bytes.length - 1 }))
    const client = await open('/', fragments)

    assert.ok(await client.until(() => client.frames.length > 0))
    assert.equal(client.frames[0]?.payload.toString(), 'κ𝄞€')
    client.socket.destroy()
  })

  await t.test('a ping inside a fragmented message is answered before the message', async () => {
    const client = await open()
    client.send(frame(1, 'ab', { fin: false }), frame(9, 'P'), frame(0, 'cd'), frame(10, 'unasked'))

    assert.ok(await client.until(() => client.frames.length === 2))
    assert.deepEqual(
      client.frames.map(({ opcode, payload }) => [opcode, payload.toString()]),
      [
        [10, 'P'],
        [1, 'abcd'],
      ],
    )
    client.socket.destroy()
  })

  await t.test('RFC 6455 5.5.1: the close code comes back, what follows is ignored, and the server closes', async () => {
    const client = await open()
    client.send(closeFrame(4999, 'bye'), frame(1, 'ghost'), frame(9, 'g'))

    assert.ok(await client.until(() => client.isClosed))
    assert.deepEqual([client.closeCode, client.frames.length], [4999, 1])
  })

  await t.test('RFC 6455 5.5.1: the answer to a message leaves before the answer to the close frame behind it', async () => {
    const client = await open()
    client.send(Buffer.concat([frame(1, 'one'), frame(1, 'two'), closeFrame(1000)]))

    assert.ok(await client.until(() => client.isClosed))
    assert.deepEqual(
      client.frames.map(({ opcode, payload }) => (opcode === 1 ? payload.toString() : opcode)),
      ['one', 'two', 8],
    )
  })

  await t.test('onUpgrade sees the socket', async () => {
    const client = await open('/socket')
    client.send(frame(1, 'where from?'))

    assert.ok(await client.until(() => client.frames.length > 0))
    assert.equal(client.frames[0]?.payload.toString(), '127.0.0.1')
    client.socket.destroy()
  })

  await t.test('a client does not wait longer than upgradeSeconds for onUpgrade: 503', async () => {
    const start = performance.now()
    const client = await open('/never')

    assert.equal(client.status, 503)
    assert.ok(performance.now() - start >= 490 && performance.now() - start < 1500)
    assert.ok(await client.until(() => client.isClosed))
    await daemon.line(/onUpgrade has not answered in time/)
  })

  await t.test('a handshake that does not come to its end is dropped after headerSeconds: 408', async () => {
    const start = performance.now()
    const client = await RawWebSocket.open(port, handshake('/').slice(0, 60))

    assert.equal(client.status, 408)
    assert.ok(performance.now() - start < 2200)
  })
})
