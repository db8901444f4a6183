import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import { type TestContext, test } from 'node:test'
import { eventually } from '../reliability/process-figures.ts'
import { authority, startTls, TlsClient, type TlsDaemon } from '../tls-daemon.ts'

/*
 * Clients that break HTTP/2 or wear a server out. Each must be cut off, and the daemon must go on. Frames are made here, by RFC 9113:
 * Node's own client has the same limits as the server.
 */

const HEADERS = 1
const RST_STREAM = 3
const SETTINGS = 4
const PING = 6
const GOAWAY = 7
const CONTINUATION = 9
const END_STREAM = 1
const END_HEADERS = 4
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
// GET, https and / of HPACK's static table (RFC 7541 appendix A), and the authority "x".
const GET = Buffer.of(0x82, 0x87, 0x84, 0x41, 1, 0x78)
const MAX_FRAMES = 400_000

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

async function abuser(t: TestContext, daemon: TlsDaemon): Promise<TlsClient> {
  const client = await TlsClient.open(t, { port: daemon.port('web'), ALPNProtocols: ['h2'] })
  client.socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0)]))
  return client
}

/** Sends batches of frames until the connection ends. @returns how many it took */
async function flood(client: TlsClient, framesOf: (index: number) => Buffer): Promise<number> {
  let isClosed = false
  void client.closed.then(() => (isClosed = true))
  let count = 0
  while (!isClosed && count < MAX_FRAMES) {
    const batch = Array.from({ length: 100 }, () => framesOf(count++))
    if (client.socket.destroyed || !client.socket.writable) break
    if (!client.socket.write(Buffer.concat(batch))) await Promise.race([once(client.socket, 'drain').catch(() => {}), client.closed])
    await new Promise((resolve) => setImmediate(resolve))
  }
  await client.closed
  return count
}

function hasGoaway(client: TlsClient): boolean {
  for (let at = 0; at + 9 <= client.received.length; at += 9 + client.received.readUIntBE(at, 3)) if (client.received[at + 3] === GOAWAY) return true
  return false
}

async function isServing(t: TestContext, daemon: TlsDaemon): Promise<void> {
  const session = http2.connect(`https://127.0.0.1:${daemon.port('web')}`, { ca: authority.cert, servername: 'localhost' })
  t.after(() => session.destroy())
  const stream = session.request({ ':path': '/' })
  stream.resume()
  const [headers] = await once(stream, 'response')
  assert.equal(headers[':status'], 200)
}

const WEB = { name: 'web', protocol: 'http', http2: true }

test('the raw client of these tests gets an answer', async (t) => {
  const daemon = await startTls(t, [WEB])
  const client = await abuser(t, daemon)
  client.socket.write(frame(HEADERS, END_STREAM | END_HEADERS, 1, GET))

  assert.match(await client.until('"path":"/"'), /"version":"2\.0"/)
})

test('who opens and resets streams without end is cut off (CVE-2023-44487)', async (t) => {
  const daemon = await startTls(t, [WEB])
  const client = await abuser(t, daemon)
  const count = await flood(client, (i) =>
    Buffer.concat([frame(HEADERS, END_STREAM | END_HEADERS, 2 * i + 1, GET), frame(RST_STREAM, 0, 2 * i + 1, Buffer.of(0, 0, 0, 8))]),
  )

  const { messagesIn } = daemon.counted('web') as unknown as { messagesIn: number }
  t.diagnostic(`cut off after ${count} streams, of which the handler has seen ${messagesIn}`)
  assert.ok(count < 20_000 && messagesIn <= 1200, `${count} streams, ${messagesIn} seen`)
  await isServing(t, daemon)
})

test('a head without end, in CONTINUATION frames, is cut off (CVE-2024-27983)', async (t) => {
  const daemon = await startTls(t, [WEB])
  const client = await abuser(t, daemon)
  client.socket.write(frame(HEADERS, END_STREAM, 1, GET))
  const count = await flood(client, (i) =>
    frame(CONTINUATION, 0, 1, Buffer.concat([Buffer.of(0, 4), Buffer.from(String(10_000 + i).slice(1)), Buffer.of(1, 0x79)])),
  )

  t.diagnostic(`cut off after ${count} frames`)
  assert.ok(count < 20_000)
  assert.equal((daemon.counted('web') as unknown as { messagesIn: number }).messagesIn, 0)
  await isServing(t, daemon)
})

test('who asks for answers (PING, SETTINGS) and does not read them is cut off', async (t) => {
  for (const make of [() => frame(PING, 0, 0, Buffer.alloc(8)), () => frame(SETTINGS, 0, 0, Buffer.of(0, 4, 0, 1, 0, 0))]) {
    const daemon = await startTls(t, [WEB])
    const client = await abuser(t, daemon)
    client.socket.pause()
    // What the kernel holds for a client that does not read comes first.
    const cut = new Promise<void>((resolve) => client.socket.on('error', () => resolve()))
    let count = 0
    while (!client.socket.destroyed && count < MAX_FRAMES) {
      const batch = Buffer.concat(Array.from({ length: 500 }, make))
      count += 500
      if (!client.socket.write(batch))
        await Promise.race([once(client.socket, 'drain').catch(() => {}), cut, new Promise((resolve) => setTimeout(resolve, 1000))])
      if (client.socket.writableLength > 4_000_000) break
    }

    t.diagnostic(`after ${count} frames: ${client.socket.destroyed ? 'cut off' : 'not read any more'}`)
    client.socket.destroy()
    await isServing(t, daemon)
  }
})

test('frames that break the protocol end the connection with GOAWAY', async (t) => {
  const daemon = await startTls(t, [WEB])
  const broken = [
    frame(HEADERS, END_STREAM | END_HEADERS, 2, GET),
    frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff)),
    frame(PING, 0, 0, Buffer.alloc(7)),
    frame(PING, 0, 1, Buffer.alloc(8)),
    frame(SETTINGS, 0, 0, Buffer.of(0, 4, 0xff, 0xff, 0xff, 0xff)),
    Buffer.concat([Buffer.of(0xff, 0xff, 0xff), Buffer.alloc(6), Buffer.alloc(20_000)]),
  ]
  for (const bytes of broken) {
    const client = await abuser(t, daemon)
    client.socket.write(bytes)
    await client.closed
    assert.ok(hasGoaway(client), bytes.toString('hex').slice(0, 40))
  }
  const client = await TlsClient.open(t, { port: daemon.port('web'), ALPNProtocols: ['h2'] })
  client.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.closed
  await isServing(t, daemon)
})

test('a client that has chosen HTTP/2 and says nothing is closed after keepAliveSeconds', async (t) => {
  const daemon = await startTls(t, [{ ...WEB, limits: { keepAliveSeconds: 0.3 } }])
  const client = await TlsClient.open(t, { port: daemon.port('web'), ALPNProtocols: ['h2'] })
  await client.closed

  await eventually('it is counted', () => (daemon.counted('web') as unknown as { closed: Record<string, number> }).closed['heartbeat'] === 1)
})
