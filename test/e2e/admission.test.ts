import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import http from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { WebSocket } from 'ws'
import { Client, DaemonProcess } from '../daemon-process.ts'
import { becomes } from '../reliability/process-figures.ts'
import { FILES, seriesOf } from './admission-handlers.ts'

const PROTOCOLS = ['tcp', 'stream', 'http', 'websocket'] as const
const V2 = Buffer.from('0d0a0d0a000d0a515549540a2111000cc0000201c6336401dc0401bb', 'hex')
const V1 = Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n')
const UPGRADE =
  'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
/** What a client says first, so that the handler of this protocol tells it its address. */
const HELLO: Record<(typeof PROTOCOLS)[number], string> = {
  tcp: '',
  stream: '',
  http: 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  websocket: UPGRADE,
}

function ports(keys: object): object[] {
  return PROTOCOLS.map((protocol) => ({ name: protocol, protocol, port: 0, handler: `./${protocol === 'websocket' ? 'ws' : protocol}.js`, ...keys }))
}

/** A client with this address of its own. */
async function connect(t: TestContext, where: { host: string; port: number } | { path: string }, localAddress = '127.0.0.1'): Promise<Client> {
  const client = new Client('path' in where ? where : ({ ...where, localAddress } as typeof where))
  t.after(() => client.socket.destroy())
  return client
}

for (const [version, header] of [
  ['1', V1],
  ['2', V2],
] as const) {
  test(`PROXY protocol, version ${version}: every protocol knows the client that a trusted proxy names, also when it comes in pieces`, async (t) => {
    const daemon = await DaemonProcess.start(t, { ports: ports({ proxyProtocol: ['127.0.0.1'] }) }, { files: FILES })
    for (const protocol of PROTOCOLS) {
      const address = await daemon.address(protocol)
      const whole = await connect(t, address)
      whole.write(Buffer.concat([header, Buffer.from(HELLO[protocol])]))
      assert.match(await whole.until('192.0.2.1 56324'), /192\.0\.2\.1 56324/, protocol)
      const pieces = await connect(t, address)
      pieces.socket.setNoDelay(true)
      for (const byte of Buffer.concat([header, Buffer.from(HELLO[protocol])])) {
        pieces.write(Uint8Array.of(byte))
        await new Promise(setImmediate)
      }
      await pieces.until('192.0.2.1 56324')
    }
    const echo = await connect(t, await daemon.address('tcp'))
    echo.write(Buffer.concat([header, Buffer.from('hel')]))
    echo.write('lo\r\nagain\r\n')
    assert.match(await echo.until('again'), /^192\.0\.2\.1 56324\r\nhello\r\nagain/)
    const { body } = await daemon.request('GET', '/api/status')
    assert.equal(
      JSON.parse(body).ports.reduce((sum: number, port: { refused: number }) => sum + port.refused, 0),
      0,
    )
  })
}

test('PROXY protocol: who is no trusted proxy is not asked for a header, and is believed none', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: ports({ proxyProtocol: ['127.0.0.2'] }) }, { files: FILES })
  const client = await connect(t, await daemon.address('tcp'))
  client.write(V1)
  assert.match(await client.until('443\r\n'), /^127\.0\.0\.1 \d+\r\nPROXY TCP4 192\.0\.2\.1 198\.51\.100\.1 56324 443\r\n$/)

  const web = await connect(t, await daemon.address('http'))
  web.write(Buffer.concat([V1, Buffer.from(HELLO.http)]))
  assert.match(await web.until('\r\n\r\n'), /^HTTP\/1\.1 400 /)
})

test('PROXY protocol: LOCAL and UNKNOWN leave a proxy its own address; one on a unix socket is trusted as "unix"', async (t) => {
  const unix = { name: 'unix', protocol: 'tcp', path: './run/proxied.sock', handler: './tcp.js', proxyProtocol: ['unix'] }
  const daemon = await DaemonProcess.start(t, { ports: [...ports({ proxyProtocol: ['127.0.0.0/8', '::1'] }), unix] }, { files: FILES })
  const local = await connect(t, await daemon.address('tcp'))
  local.write(Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex'))
  assert.equal(await local.until('\r\n'), `127.0.0.1 ${local.socket.localPort}\r\n`)
  const unknown = await connect(t, await daemon.address('tcp'), '127.0.0.3')
  unknown.write('PROXY UNKNOWN\r\n')
  assert.equal(await unknown.until('\r\n'), `127.0.0.3 ${unknown.socket.localPort}\r\n`)
  const behind = await connect(t, { path: join(daemon.dir, 'run/proxied.sock') })
  behind.write(V2)
  assert.equal(await behind.until('\r\n'), '192.0.2.1 56324\r\n')
})

test('PROXY protocol: without a header, or with a broken one, a trusted proxy is cut off and counted; who only looks is not', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: ports({ proxyProtocol: ['127.0.0.1'] }), log: { level: 'debug' } }, { files: FILES })
  const looks = await connect(t, await daemon.address('http'))
  looks.socket.end()
  await looks.closed
  const cutOff = async (protocol: string): Promise<void> => {
    const address = await daemon.address(protocol)
    const silent = await connect(t, address)
    const broken = await connect(t, address)
    broken.write('PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n')
    const none = await connect(t, address)
    none.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    const half = await connect(t, address)
    half.socket.end(V2.subarray(0, 20))
    const start = performance.now()
    await Promise.all([broken.closed, none.closed, half.closed])
    assert.ok(performance.now() - start < 2000)
    await silent.closed
    const ms = performance.now() - start
    assert.ok(ms > 2500 && ms < 6000, `a silent proxy was cut off after ${ms} ms`)
    for (const client of [silent, broken, none, half]) assert.equal(client.text, '')
  }
  await Promise.all(PROTOCOLS.map(cutOff))

  for (const protocol of PROTOCOLS) {
    await becomes([4, 0], async () => {
      const metrics = await daemon.metrics()
      return [`refused_total{port="${protocol}",reason="proxy_header"}`, `accepted_total{port="${protocol}"}`].map((series) =>
        seriesOf(metrics, `polyport_connections_${series}`),
      )
    })
  }
  await daemon.line(/"reason":"proxy_header","remoteAddress":"127\.0\.0\.1","msg":"Connection refused"/)
})

test('PROXY protocol: whatever a proxy sends first, its connection ends or is served, and nothing is left of it', async (t) => {
  const numRuns = Number(process.env['POLYPORT_FUZZ_RUNS'] ?? 400)
  const port = { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js', framing: { type: 'raw' }, proxyProtocol: ['127.0.0.1'] }
  const daemon = await DaemonProcess.start(t, { ports: [port] }, { files: FILES })
  const address = await daemon.address('tcp')
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 200 }),
    fc.uint8Array({ maxLength: 60 }).map((rest) => Buffer.concat([V2.subarray(0, 12), rest])),
    fc.string({ maxLength: 110 }).map((text) => Buffer.from(`PROXY ${text}\r\n`)),
    fc.tuple(fc.nat(V2.length - 1), fc.nat(255)).map(([at, value]) => V2.with(at, value)),
  )
  const inputs = fc.sample(bytes, numRuns)
  for (let i = 0; i < inputs.length; i += 50) {
    await Promise.all(
      inputs.slice(i, i + 50).map(async (input) => {
        const client = new Client(address)
        client.socket.end(input)
        await client.closed
      }),
    )
  }

  const good = await connect(t, address)
  good.write(V1)
  assert.equal(await good.until('56324'), '192.0.2.1 56324')
  await becomes({ come: numRuns + 1, open: 1, restarts: 0 }, async () => {
    const metrics = await daemon.metrics()
    const of = (series: string): number => seriesOf(metrics, `polyport_${series}`)
    const come = of('connections_accepted_total{port="tcp"}') + of('connections_refused_total{port="tcp",reason="proxy_header"}')
    return { come, open: of('connections{port="tcp"}'), restarts: of('worker_restarts_total{worker="0"}') }
  })
  good.socket.destroy()
  assert.equal(await daemon.stop(), 0)
})

test('a stop does not wait for a proxy that says nothing', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: ports({ proxyProtocol: ['127.0.0.1'] }), maxWaitSeconds: 60 }, { files: FILES })
  const silent = await connect(t, await daemon.address('tcp'))
  await once(silent.socket, 'connect')
  const start = performance.now()

  assert.equal(await daemon.stop(), 0)
  assert.ok(performance.now() - start < 2500)
  await silent.closed
})

test('allow and deny: who does not get in is told so by HTTP and cut off by the rest, counted as denied; datagrams are dropped', async (t) => {
  const keys = { host: '::', allow: ['127.0.0.0/8'], deny: ['127.0.0.2', '127.0.1.0/24'] }
  const udp = { name: 'udp', protocol: 'udp', port: 0, handler: './udp.js', ...keys, host: '127.0.0.1' }
  const daemon = await DaemonProcess.start(t, { ports: [...ports(keys), udp], log: { level: 'debug' } }, { files: FILES })
  for (const protocol of PROTOCOLS) {
    const address = { ...(await daemon.address(protocol)), host: '127.0.0.1' }
    for (const [from, isIn] of [
      ['127.0.0.1', true],
      ['127.0.0.2', false],
      ['127.0.1.9', false],
      ['127.9.9.9', true],
    ] as const) {
      const client = await connect(t, address, from)
      client.write(HELLO[protocol])
      if (isIn) await client.until(`${from} `)
      else {
        await client.closed
        assert.match(client.text, protocol === 'http' || protocol === 'websocket' ? /^HTTP\/1\.1 403 Forbidden\r\n.*Connection: close\r\n/s : /^$/, protocol)
      }
    }
    const v6 = new Client({ host: '::1', port: address.port })
    await v6.closed
  }
  const { port } = await daemon.address('udp')
  const answers: string[] = []
  for (const from of ['127.0.0.2', '127.0.0.1']) {
    const socket = dgram.createSocket('udp4')
    t.after(() => socket.close())
    socket.on('message', (packet) => answers.push(String(packet)))
    socket.bind(0, from)
    await once(socket, 'listening')
    socket.send('who', port, '127.0.0.1')
    if (from === '127.0.0.1') await once(socket, 'message')
  }

  assert.deepEqual(answers, ['127.0.0.1'])
  const denied = async (port: string): Promise<number> => seriesOf(await daemon.metrics(), `polyport_connections_refused_total{port="${port}",reason="denied"}`)
  await becomes(1, () => denied('udp'))
  for (const protocol of PROTOCOLS) await becomes(3, () => denied(protocol))
  await daemon.line(/"reason":"denied","remoteAddress":"127\.0\.1\.9","msg":"Connection refused"/)
})

test('allow and deny are of the client that a trusted proxy names, not of the proxy', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: ports({ proxyProtocol: ['127.0.0.1'], allow: ['192.0.2.0/24'] }) }, { files: FILES })
  const address = await daemon.address('tcp')
  const client = await connect(t, address)
  client.write(V1)
  await client.until('192.0.2.1 56324')
  const other = await connect(t, address)
  other.write('PROXY TCP4 198.51.100.1 198.51.100.1 56324 443\r\n')
  await other.closed
  const direct = await connect(t, address, '127.0.0.5')
  await direct.closed
  await becomes(2, async () => seriesOf(await daemon.metrics(), 'polyport_connections_refused_total{port="tcp",reason="denied"}'))
})

test('X-Forwarded-For of a trusted proxy names the client of requests and WebSockets; of anybody else it is not believed', async (t) => {
  const unix = {
    name: 'unix',
    protocol: 'http',
    path: './run/web.sock',
    handler: './http.js',
    trustedProxies: ['unix'],
    websocket: { path: '/ws', handler: './ws.js' },
  }
  const daemon = await DaemonProcess.start(
    t,
    { ports: [...ports({}).slice(0, 2), ...ports({ trustedProxies: ['127.0.0.1'] }).slice(2), unix] },
    { files: FILES },
  )
  const web = await daemon.address('http')
  const ask = async (options: http.RequestOptions): Promise<string> => {
    const [response] = (await once(
      http.get({ agent: false, headers: { 'X-Forwarded-For': '203.0.113.9, 192.0.2.1, 127.0.0.1' }, ...options }),
      'response',
    )) as [http.IncomingMessage]
    return (await response.toArray()).join('')
  }
  assert.match(await ask(web), /^127\.0\.0\.1 \d+ 192\.0\.2\.1\r\n$/)
  assert.match(await ask({ ...web, localAddress: '127.0.0.2' }), /^127\.0\.0\.2 \d+ 127\.0\.0\.2\r\n$/)
  assert.match(await ask({ socketPath: join(daemon.dir, 'run/web.sock') }), /127\.0\.0\.1\r\n$/)

  const { host, port } = await daemon.address('websocket')
  const socket = new WebSocket(`ws://${host}:${port}/`, { headers: { 'X-Forwarded-For': '203.0.113.9, 192.0.2.1' } })
  const [who] = await once(socket, 'message')
  assert.equal(String(who), '192.0.2.1 0 192.0.2.1')
  socket.terminate()
  const upgrade = await connect(t, { path: join(daemon.dir, 'run/web.sock') })
  upgrade.write(UPGRADE.replace('GET /', 'GET /ws').replace('Host', 'X-Forwarded-For: 2001:db8::7\r\nHost'))
  await upgrade.until('2001:db8::7 0 2001:db8::7')
})
