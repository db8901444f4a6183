import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DaemonProcess } from '../daemon-process.ts'
import { becomes } from '../reliability/process-figures.ts'
import { talk } from './raw-http.ts'

const ECHO = `
import { HttpHandler } from 'polyport'
export default class Echo extends HttpHandler {
  seen = []
  async onRequest(request, response) {
    if (request.url === '/seen') return response.end(JSON.stringify(this.seen))
    if (request.url === '/slow') await new Promise((resolve) => setTimeout(resolve, 300))
    if (request.url === '/timed') request.setTimeout(200)
    if (request.url === '/host') return answer(response, request.headers.host + ' ' + request.url)
    if (request.url === '/watched') response.on('close', () => this.seen.push('closed ' + response.writableFinished))
    try {
      answer(response, (await request.toArray()).join(''))
    } catch (error) {
      if (request.url === '/watched') this.seen.push(error.code)
      throw error
    }
  }
}
function answer(response, body) { response.setHeader('Content-Length', Buffer.byteLength(body)); response.end(body) }
`
const SOCKET = `
import { WebSocketHandler } from 'polyport'
export default class Echo extends WebSocketHandler { onMessage(connection, message) { connection.send(message) } }
`

const HOST = 'Host: a.example\r\n'
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`
const POST = `POST / HTTP/1.1\r\n${HOST}`
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

// Node loses what comes in one segment with an upgrade that is not made.
const PAUSE_MS = 50

interface Clause {
  readonly rule: string
  readonly bytes: string
  /** Every status, in order. The last of them ends the connection when it is an error. */
  readonly statuses: readonly number[]
}

// What is behind a request that is refused must never be taken for a request: each is followed by one.
const REFUSED: readonly Clause[] = [
  {
    rule: 'RFC 9112 6.1: Content-Length beside Transfer-Encoding',
    bytes: `${POST}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX`,
    statuses: [400],
  },
  { rule: 'RFC 9112 6.3: two lengths', bytes: `${POST}Content-Length: 5\r\nContent-Length: 42\r\n\r\nhello`, statuses: [400] },
  { rule: 'RFC 9110 8.6: a list of lengths', bytes: `${POST}Content-Length: 5, 42\r\n\r\nhello`, statuses: [400] },
  { rule: 'RFC 9112 6.3: no number', bytes: `${POST}Content-Length: +5\r\n\r\nhello`, statuses: [400] },
  { rule: 'RFC 9112 6.3: chunked is not last', bytes: `${POST}Transfer-Encoding: chunked, identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, statuses: [400] },
  {
    rule: 'RFC 9112 6.1: chunked in HTTP/1.0',
    bytes: `POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    statuses: [400],
  },
  { rule: 'RFC 9112 6.1: a coding that is not known', bytes: `${POST}Transfer-Encoding: gzap\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, statuses: [400] },
  { rule: 'RFC 9112 7.1: no chunk size', bytes: `${CHUNKED}0x5\r\nhello\r\n0\r\n\r\n`, statuses: [400] },
  { rule: 'RFC 9112 7.1: more than the chunk size', bytes: `${CHUNKED}5\r\nhelloworld\r\n0\r\n\r\n`, statuses: [400] },
  { rule: 'RFC 9112 7.1.1: a line feed in a chunk extension', bytes: `${CHUNKED}5;x\nhello\r\n0\r\n\r\n`, statuses: [400] },
  { rule: 'RFC 9112 5.1: a blank before the colon', bytes: `${POST}Transfer-Encoding : chunked\r\n\r\n`, statuses: [400] },
  { rule: 'RFC 9110 5.5: a control byte in a value', bytes: `GET / HTTP/1.1\r\n${HOST}X-A: a\x01b\r\n\r\n`, statuses: [400] },
  { rule: 'RFC 9112 3.2: no Host', bytes: 'GET / HTTP/1.1\r\n\r\n', statuses: [400] },
  { rule: 'RFC 9112 3.2: two Hosts', bytes: `GET / HTTP/1.1\r\n${HOST}HOST: b.example\r\n\r\n`, statuses: [400] },
  { rule: 'RFC 9112 3.2: a malformed Host', bytes: 'GET / HTTP/1.1\r\nHost: a b/c?d\r\n\r\n', statuses: [400] },
  { rule: 'RFC 9110 4.2.4: a user in the Host', bytes: 'GET / HTTP/1.1\r\nHost: user@a.example\r\n\r\n', statuses: [400] },
  { rule: 'no Host, with Upgrade', bytes: `GET /ws HTTP/1.1\r\n${UPGRADE}\r\n`, statuses: [400] },
  { rule: 'two Hosts, with Upgrade', bytes: `GET /ws HTTP/1.1\r\n${HOST}${HOST}${UPGRADE}\r\n`, statuses: [400] },
  { rule: 'RFC 6455 4.1: an upgrade with a body', bytes: `GET /ws HTTP/1.1\r\n${HOST}${UPGRADE}Content-Length: 5\r\n\r\nhello`, statuses: [400] },
  { rule: 'RFC 6455 4.1: an upgrade that is no GET', bytes: `POST /ws HTTP/1.1\r\n${HOST}${UPGRADE}Content-Length: 0\r\n\r\n`, statuses: [400] },
  { rule: 'RFC 9112 3: no version', bytes: 'GET /\r\n\r\n', statuses: [400] },
  { rule: 'RFC 9110 2.5: another version', bytes: `GET / HTTP/9.9\r\n${HOST}\r\n`, statuses: [400] },
  { rule: 'RFC 9112 3.2: a blank in the target', bytes: `GET /a b HTTP/1.1\r\n${HOST}\r\n`, statuses: [400] },
  { rule: 'RFC 9112 3.2.2: an absolute target of another scheme', bytes: `GET ftp://a.example/ HTTP/1.1\r\n${HOST}\r\n`, statuses: [400] },
  { rule: 'RFC 9112 3.2.2: a user in an absolute target', bytes: `GET http://u@a.example/ HTTP/1.1\r\n${HOST}\r\n`, statuses: [400] },
  { rule: 'RFC 9110 9.3.6: CONNECT', bytes: 'CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n', statuses: [501] },
  { rule: 'RFC 9110 10.1.1: an expectation that is not known', bytes: `${POST}Content-Length: 2\r\nExpect: the-best\r\n\r\nhi`, statuses: [417] },
  { rule: 'a request line over headerBytes', bytes: `GET /${'a'.repeat(3000)} HTTP/1.1\r\n${HOST}\r\n`, statuses: [414] },
  { rule: 'fields over headerBytes', bytes: `GET / HTTP/1.1\r\n${HOST}X-A: ${'a'.repeat(3000)}\r\n\r\n`, statuses: [431] },
  { rule: 'more than headerFields', bytes: `GET / HTTP/1.1\r\n${HOST}${'X: 1\r\n'.repeat(20)}\r\n`, statuses: [431] },
  { rule: 'a Content-Length over bodyBytes', bytes: `${POST}Content-Length: 1001\r\n\r\n${'x'.repeat(1001)}`, statuses: [413] },
  { rule: 'the same before 100 (Continue)', bytes: `${POST}Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n`, statuses: [413] },
  { rule: 'chunks over bodyBytes', bytes: `${CHUNKED}${`100\r\n${'x'.repeat(256)}\r\n`.repeat(4)}0\r\n\r\n`, statuses: [413] },
  { rule: 'long chunk extensions', bytes: `${CHUNKED}5;${'a'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`, statuses: [413] },
  { rule: 'no HTTP at all', bytes: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03AAAA', statuses: [400] },
  { rule: 'behind a good request', bytes: `${GET}GET / HTTP/1.1\r\nHost: a b\r\n\r\n`, statuses: [200, 400] },
  { rule: 'garbage behind a request that takes a while', bytes: `GET /slow HTTP/1.1\r\n${HOST}\r\n@@@@\r\n\r\n`, statuses: [200, 400] },
  {
    rule: 'CONNECT behind a request that takes a while',
    bytes: `GET /slow HTTP/1.1\r\n${HOST}\r\nCONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n`,
    statuses: [200, 501],
  },
]

const TAKEN: readonly Clause[] = [
  { rule: 'RFC 9112 3.2.2: an absolute target', bytes: `GET http://b.example/host HTTP/1.1\r\n${HOST}\r\n`, statuses: [200] },
  { rule: 'an IPv6 Host with a port', bytes: 'GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n', statuses: [200] },
  { rule: 'RFC 9112 3.2: an empty Host', bytes: 'GET / HTTP/1.1\r\nHost:\r\n\r\n', statuses: [200] },
  { rule: 'RFC 9110 9.3.7: OPTIONS *', bytes: `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, statuses: [200] },
  { rule: 'RFC 9112 2.2: an empty line before', bytes: `\r\n${GET}`, statuses: [200] },
  { rule: 'RFC 9110 8.6: a body of exactly bodyBytes', bytes: `${POST}Content-Length: 1000\r\n\r\n${'x'.repeat(1000)}`, statuses: [200] },
  { rule: 'chunks of exactly bodyBytes', bytes: `${CHUNKED}3e8\r\n${'x'.repeat(1000)}\r\n0\r\nX-T: 1\r\n\r\n`, statuses: [200] },
  { rule: 'RFC 9110 10.1.1: 100 (Continue)', bytes: `${POST}Content-Length: 2\r\nExpect: 100-continue\r\n\r\nhi`, statuses: [100, 200] },
  { rule: 'RFC 9110 7.8: another upgrade is ignored', bytes: `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`, statuses: [200] },
  {
    rule: 'RFC 9112 9.3.2: a pipeline with bodies',
    bytes: `${GET}${POST}Content-Length: 5\r\n\r\nhello${CHUNKED}5\r\nhello\r\n0\r\n\r\n${GET}`,
    statuses: [200, 200, 200, 200],
  },
]

const LIMITS = { headerBytes: 2048, headerFields: 16, bodyBytes: 1000, headerSeconds: 1, requestSeconds: 1.5, keepAliveSeconds: 3 }

let daemon: DaemonProcess
let port: number

async function counted(pattern: RegExp): Promise<number> {
  const lines = (await daemon.metrics()).split('\n').filter((line) => pattern.test(line))
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

// One daemon for all of them: a clause that harms it fails those behind it.
test('an HTTP port', async (t) => {
  const ports = [{ name: 'web', protocol: 'http', port: 0, handler: './echo.js', limits: LIMITS, websocket: { path: '/ws', handler: './socket.js' } }]
  daemon = await DaemonProcess.start(t, { ports }, { files: { 'echo.js': ECHO, 'socket.js': SOCKET } })
  port = (await daemon.address('web')).port

  await t.test('refuses, ends the connection, and counts', async (t) => {
    for (const { rule, bytes, statuses } of REFUSED) {
      await t.test(`${rule}: ${statuses.join(', ')}`, async () => {
        const before = await counted(/^polyport_requests_refused_total/)
        const { answers, closed } = await talk(port, [`${bytes}${GET}`])

        assert.deepEqual(
          answers.map(({ status }) => status),
          statuses,
        )
        assert.equal(closed, 'fin')
        assert.match(answers.at(-1)?.head ?? '', /^connection: close$/im)
        await becomes(before + 1, () => counted(/^polyport_requests_refused_total/))
      })
    }
  })

  await t.test('answers half a request with 400 when the client ends it', async () => {
    for (const bytes of [`GET / HTTP/1.1\r\n${HOST}`, `${POST}Content-Length: 5\r\n\r\nhel`, `${CHUNKED}5\r\nhel`]) {
      const { answers, closed } = await talk(port, [bytes], { half: true })

      assert.deepEqual([answers.map(({ status }) => status), closed], [[400], 'fin'], bytes)
    }
  })

  await t.test('takes', async (t) => {
    for (const { rule, bytes, statuses } of TAKEN) {
      await t.test(rule, async () => {
        const { answers, closed } = await talk(port, [bytes, PAUSE_MS, GET], { count: statuses.length + 1 })

        assert.deepEqual(
          answers.map(({ status }) => status),
          [...statuses, 200],
        )
        assert.equal(closed, undefined)
      })
    }

    await t.test('the host of an absolute target for that of the Host field', async () => {
      const { answers } = await talk(port, [`GET http://b.example/host HTTP/1.1\r\n${HOST}\r\n`], { count: 1 })

      assert.equal(answers[0]?.body, 'b.example /host')
    })

    await t.test('a request that is followed by FIN, and answers it, also after a while', async () => {
      const { answers, closed } = await talk(port, [`GET /slow HTTP/1.1\r\n${HOST}\r\n`], { half: true })

      assert.equal(answers[0]?.status, 200)
      assert.equal(closed, 'fin')
    })
  })

  await t.test('waits no longer than its limits say', async (t) => {
    const WITHIN = 1100

    await t.test('for a head: 408', async () => {
      const { answers, closed, ms } = await talk(port, [`GET / HTTP/1.1\r\n`, 300, HOST, 300, 'X-A: 1\r\n'])

      assert.deepEqual([answers[0]?.status, closed], [408, 'fin'])
      assert.ok(ms >= 1000 && ms < 1000 + WITHIN, `${ms} ms`)
    })

    await t.test('for a body: 408', async () => {
      const { answers, closed, ms } = await talk(port, [`${POST}Content-Length: 100\r\n\r\n`, 500, 'x', 500, 'x'])

      assert.deepEqual([answers[0]?.status, closed], [408, 'fin'])
      assert.ok(ms >= 1500 && ms < 1500 + WITHIN, `${ms} ms`)
    })

    await t.test('for the first byte: closed without an answer that nobody has asked for', async () => {
      const { answers, closed, ms } = await talk(port, [])

      assert.deepEqual([answers.length, closed], [0, 'fin'])
      assert.ok(ms >= 1000 && ms < 1000 + WITHIN, `${ms} ms`)
    })

    await t.test('for the next request: closed with reason heartbeat', async () => {
      const pattern = /^polyport_connections_closed_total\{.*reason="heartbeat"/
      const before = await counted(pattern)
      const { answers, closed, ms } = await talk(port, [GET])

      assert.deepEqual([answers.length, closed], [1, 'fin'])
      assert.ok(ms >= 3000 && ms < 3000 + WITHIN, `${ms} ms`)
      // It is counted when the server has seen it close, too.
      await becomes(before + 1, () => counted(pattern))
    })

    await t.test('what a handler says of its own request does not hold for the next', async () => {
      const { answers } = await talk(port, [`GET /timed HTTP/1.1\r\n${HOST}\r\n`, 700, GET], { count: 2 })

      assert.deepEqual(
        answers.map(({ status, head }) => [status, /^Keep-Alive: timeout=3\r?$/m.test(head)]),
        [
          [200, true],
          [200, true],
        ],
      )
    })

    await t.test('and a connection that a reload has moved is kept as long as any other', async () => {
      const reload = (async () => {
        await new Promise((next) => setTimeout(next, 200))
        assert.equal((await daemon.request('POST', '/api/reload')).status, 200)
      })()
      // Past headerSeconds, to which Node's parser would hold a new connection, and well within keepAliveSeconds.
      const kept = await talk(port, [GET, 2100, GET], { count: 2 })
      const { answers, closed, ms } = await talk(port, [GET])
      await reload

      assert.equal(kept.answers.length, 2)
      assert.deepEqual([answers.length, closed], [1, 'fin'])
      assert.ok(ms >= 3000 && ms < 3000 + WITHIN, `${ms} ms`)
    })
  })

  await t.test('to a handler, a request that is refused in the middle is one whose client has left, and no failure of its own', async () => {
    const errors = await counted(/^polyport_handler_errors_total/)
    const request = `POST /watched HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`
    await talk(port, [`${request}${`100\r\n${'x'.repeat(256)}\r\n`.repeat(4)}0\r\n\r\n`])
    await talk(port, [`${request}zz\r\n`])
    await talk(port, [`${request}5\r\n`], { half: true })
    await becomes([...Array(3).fill('ECONNRESET'), ...Array(3).fill('closed false')], async () => {
      const { answers } = await talk(port, [`GET /seen HTTP/1.1\r\n${HOST}\r\n`], { count: 1 })
      return (JSON.parse(answers[0]?.body ?? '') as string[]).toSorted()
    })
    assert.equal(await counted(/^polyport_handler_errors_total/), errors)
    assert.deepEqual(
      daemon.lines.filter((line) => /failed|"level":"error"/.test(line)),
      [],
    )
  })
})
