import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import https from 'node:https'
import net from 'node:net'
import { describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { makeCertificate } from '../certificates.ts'
import { becomes, eventually } from '../reliability/process-figures.ts'
import { authority, startTls, TlsClient } from '../tls-daemon.ts'

interface Answer {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: Record<string, unknown>
}

function get(port: number, path: string, options: https.RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = https.get({ host: '127.0.0.1', servername: 'localhost', ca: authority.cert, port, path, ...options }, async (response) => {
      let text = ''
      for await (const chunk of response) text += chunk
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text.startsWith('{') ? JSON.parse(text) : { text } })
    })
    request.on('error', reject)
  })
}

describe('TLS on a tcp port', () => {
  test('frames messages as without, in both directions', async (t) => {
    const daemon = await startTls(t, [{ name: 'line', protocol: 'tcp', options: { greets: true } }])
    const client = await TlsClient.open(t, { port: daemon.port('line') })

    await client.until('hello\r\n')
    client.socket.write('one\r\ntw')
    assert.equal(await client.until('one\r\n'), 'hello\r\none\r\n')
    client.socket.write('o\r\nthree\r\n')
    assert.equal(await client.until('three\r\n'), 'hello\r\none\r\ntwo\r\nthree\r\n')
    client.socket.write('big\r\n')
    await client.until(`${'x'.repeat(3_000_000)}\r\n`)
    const { bytesIn, bytesOut } = daemon.counted('line')
    assert.deepEqual([bytesIn, bytesOut], ['one\r\ntwo\r\nthree\r\nbig\r\n'.length, client.received.length])
    assert.equal(await client.ask('bye'), 'good bye')
    assert.equal(await client.closed, undefined)
    assert.ok(client.hasEnded, 'the end was announced (close_notify)')
    await eventually('it is counted', () => daemon.counted('line').closed['server'] === 1)
  })

  test('answers many pipelined messages in order, larger than any buffer', async (t) => {
    const daemon = await startTls(t, [{ name: 'line', protocol: 'tcp' }])
    const client = await TlsClient.open(t, { port: daemon.port('line') })
    const lines = Array.from({ length: 20_000 }, (_, i) => `${i} ${'.'.repeat(i % 90)}\r\n`)

    for (let i = 0; i < lines.length; i += 1000) client.socket.write(lines.slice(i, i + 1000).join(''))
    await client.until('19999 ')
    await client.until(lines.at(-1) ?? '')

    assert.equal(client.text, lines.join(''))
  })

  test('tells the handler what the handshake has found out', async (t) => {
    const daemon = await startTls(t, [{ name: 'line', protocol: 'tcp', tls: { alpn: ['acme/2', 'acme/1'] } }])
    const client = await TlsClient.open(t, { port: daemon.port('line'), ALPNProtocols: ['acme/1', 'acme/2'] })

    assert.deepEqual(JSON.parse(await client.ask('tls')), {
      protocol: 'TLSv1.3',
      cipher: client.socket.getCipher().standardName,
      servername: 'localhost',
      alpn: 'acme/2',
      authorized: false,
    })
  })

  test('a client that has said all still gets its answers', async (t) => {
    const daemon = await startTls(t, [{ name: 'line', protocol: 'tcp' }])
    const client = await TlsClient.open(t, { port: daemon.port('line'), allowHalfOpen: true } as object)
    client.socket.end('big\r\nlast\r\n')

    await client.until('last\r\n')
    assert.equal(client.received.length, 3_000_000 + 'last\r\n\r\n'.length)
    assert.equal(await client.closed, undefined)
    await eventually('it is counted', () => daemon.counted('line').closed['client'] === 1)
  })

  test('works over a unix socket', async (t) => {
    const path = `/tmp/polyport-tls-${process.pid}.sock`
    const daemon = await startTls(t, [{ name: 'line', protocol: 'tcp', port: undefined, path }])
    assert.ok(daemon)
    const client = await TlsClient.open(t, { path })

    assert.equal(await client.ask('over a path'), 'over a path')
  })
})

describe('client certificates', () => {
  const device = makeCertificate({ name: 'device-7', names: ['device-7.example'], issuer: authority })
  const stranger = makeCertificate({ name: 'stranger' })
  const PORT = { name: 'line', protocol: 'tcp', tls: { requestCert: true, ca: './ca.pem' } }

  test('are shown to the handler', async (t) => {
    const daemon = await startTls(t, [PORT])
    const client = await TlsClient.open(t, { port: daemon.port('line'), cert: device.cert, key: device.key })

    const info = JSON.parse(await client.ask('tls'))
    assert.deepEqual([info.subject, info.subjectAltName, info.authorized], [{ CN: 'device-7' }, 'DNS:device-7.example', true])
    const digest = createHash('sha256').update(new X509Certificate(device.cert).raw).digest('hex')
    assert.equal(info.fingerprint.replaceAll(':', '').toLowerCase(), digest)
  })

  test('are needed: who has none, or a strange one, is refused with reason tls', async (t) => {
    const daemon = await startTls(t, [PORT])
    for (const certificate of [{}, { cert: stranger.cert, key: stranger.key }]) {
      const client = new TlsClient({ port: daemon.port('line'), ...certificate })
      await client.closed
    }

    await becomes([2, 2], () => [daemon.counted('line').refused['tls'], daemon.counted('line').closed['tls']])
  })

  test('may be wanted and not needed', async (t) => {
    const daemon = await startTls(t, [{ ...PORT, tls: { requestCert: true, rejectUnauthorized: false } }])
    const client = await TlsClient.open(t, { port: daemon.port('line'), cert: stranger.cert, key: stranger.key })

    const info = JSON.parse(await client.ask('tls'))
    assert.deepEqual([info.subject, info.authorized, info.authorizationError], [{ CN: 'stranger' }, false, 'DEPTH_ZERO_SELF_SIGNED_CERT'])
  })

  test('go with resumed sessions, for certificates by server name too', async (t) => {
    const named = makeCertificate({ name: 'named.example', issuer: authority })
    const sni = { 'named.example': { cert: './named.pem', key: './named.key' } }
    const daemon = await startTls(t, [{ ...PORT, tls: { ...PORT.tls, sni } }], { 'named.pem': named.cert, 'named.key': named.key })
    for (const servername of ['localhost', 'named.example']) {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        const options = { port: daemon.port('line'), cert: device.cert, key: device.key, servername, maxVersion }
        const first = new TlsClient(options)
        const session = new Promise<Buffer>((resolve) => first.socket.once('session', resolve))
        await first.ask('x')
        const again = await TlsClient.open(t, { ...options, session: await session })
        first.socket.destroy()

        assert.equal(JSON.parse(await again.ask('tls')).authorized, true)
        assert.ok(again.socket.isSessionReused(), `${servername} ${maxVersion}`)
      }
    }
  })
})

describe('tls.sni', () => {
  test('chooses the certificate by the name that is asked for', async (t) => {
    const files: Record<string, string> = {}
    const names = ['a.example', '*.b.example']
    for (const [index, name] of names.entries()) {
      const { cert, key } = makeCertificate({ name, issuer: authority })
      Object.assign(files, { [`${index}.pem`]: cert, [`${index}.key`]: key })
    }
    const sni = Object.fromEntries(names.map((name, index) => [name, { cert: `./${index}.pem`, key: `./${index}.key` }]))
    const daemon = await startTls(t, [{ name: 'line', protocol: 'tcp', tls: { sni } }], files)
    const shown = async (servername: string): Promise<unknown> => {
      const client = await TlsClient.open(t, { port: daemon.port('line'), servername, checkServerIdentity: () => undefined })
      return client.socket.getPeerCertificate().subject.CN
    }

    assert.equal(await shown('a.example'), 'a.example')
    assert.equal(await shown('A.Example'), 'a.example')
    assert.equal(await shown('x.b.example'), '*.b.example')
    assert.equal(await shown('x.y.b.example'), 'localhost')
    assert.equal(await shown('b.example'), 'localhost')
    assert.equal(await shown('elsewhere.example'), 'localhost')
    assert.equal(await shown(''), 'localhost')
  })
})

describe('a handshake', () => {
  test('that fails is refused with reason tls, and no handler hears of it', async (t) => {
    const daemon = await startTls(t, [{ name: 'line', protocol: 'tcp', tls: { minVersion: 'TLSv1.3', alpn: ['acme'] } }])
    const port = daemon.port('line')
    assert.match(String(await new TlsClient({ port, maxVersion: 'TLSv1.2' }).closed), /alert protocol version/)
    assert.match(String(await new TlsClient({ port, ALPNProtocols: ['other'] }).closed), /alert no application protocol/)
    const plain = net.connect(port, '127.0.0.1')
    plain.on('error', () => {})
    plain.end('GET / HTTP/1.0\r\n\r\n')
    plain.resume()
    await once(plain, 'close')

    await becomes([3, 3, 0], () => [daemon.counted('line').refused['tls'], daemon.counted('line').closed['tls'], daemon.daemon.ports[0]?.connections])
  })

  test('that takes too long is refused with reason tls; who just leaves is not', async (t) => {
    const daemon = await startTls(t, [{ name: 'line', protocol: 'tcp', tls: { handshakeSeconds: 0.3 } }])
    const silent = net.connect(daemon.port('line'), '127.0.0.1')
    silent.resume()
    const start = performance.now()
    await once(silent, 'close')
    assert.ok(performance.now() - start > 250, 'not before its time')
    const scanner = net.connect(daemon.port('line'), '127.0.0.1')
    await once(scanner, 'connect')
    scanner.destroy()

    await eventually('both are gone', () => daemon.counted('line').closed['client'] === 1)
    assert.deepEqual([daemon.counted('line').refused['tls'], daemon.counted('line').closed['tls']], [1, 1])
  })

  test('counts as a connection of the port: maxConnections holds for it', async (t) => {
    const daemon = await startTls(t, [{ name: 'line', protocol: 'tcp', limits: { maxConnections: 2 } }])
    const silent = [0, 1].map(() => net.connect(daemon.port('line'), '127.0.0.1'))
    t.after(() => {
      for (const socket of silent) socket.destroy()
    })
    await eventually('they are in', () => daemon.daemon.ports[0]?.connections === 2)
    const client = new TlsClient({ port: daemon.port('line') })

    assert.ok(await client.closed)
    assert.equal(daemon.counted('line').refused['max_connections'], 1)
  })

  test('is cut by a stop', async (t) => {
    const daemon = await startTls(t, [{ name: 'line', protocol: 'tcp' }])
    const silent = net.connect(daemon.port('line'), '127.0.0.1')
    await eventually('it is in', () => daemon.daemon.ports[0]?.connections === 1)
    const start = performance.now()
    await Promise.all([daemon.daemon.stop(), once(silent, 'close')])

    assert.ok(performance.now() - start < 1000, 'the stop has waited for it')
  })
})

describe('TLS behind the PROXY protocol', () => {
  test('the header comes first, in the clear, with or without the beginning of the handshake', async (t) => {
    const daemon = await startTls(t, [
      { name: 'line', protocol: 'tcp', proxyProtocol: ['127.0.0.1'] },
      { name: 'web', protocol: 'http', http2: true, proxyProtocol: ['127.0.0.1'] },
    ])
    const header = 'PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n'
    // A proxy that sends its header alone, and one that sends it in one segment with the client's first bytes.
    for (const isApart of [true, false]) {
      const proxy = net.createServer((from) => {
        const to = net.connect(daemon.port('web'), '127.0.0.1')
        if (isApart) to.write(header)
        else from.once('data', (first: Buffer) => to.write(Buffer.concat([Buffer.from(header), first])))
        from.on('error', () => {})
        to.on('error', () => {})
        if (isApart) from.pipe(to)
        else from.once('data', () => from.pipe(to))
        to.pipe(from)
      })
      proxy.listen(0, '127.0.0.1')
      await once(proxy, 'listening')
      t.after(() => proxy.close())
      const client = await TlsClient.open(t, { port: (proxy.address() as net.AddressInfo).port, ALPNProtocols: ['http/1.1'] })
      client.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
      await client.until('"address":"203.0.113.7"')
    }
    const raw = net.connect(daemon.port('line'), '127.0.0.1')
    raw.write(header)
    assert.equal(await (await TlsClient.open(t, { socket: raw })).ask('hello'), 'hello')
  })
})

describe('TLS on other ports', () => {
  test('stream: the handler gets the decrypted stream, and what the handshake has found out', async (t) => {
    const daemon = await startTls(t, [{ name: 'raw', protocol: 'stream' }])
    const client = await TlsClient.open(t, { port: daemon.port('raw') })

    const info = JSON.parse((await client.until('\n')).trim())
    assert.deepEqual([info.protocol, info.servername], ['TLSv1.3', 'localhost'])
    client.socket.write('echo')
    await client.until('echo')
    client.socket.end()
    assert.equal(await client.closed, undefined)
  })

  test('http: request.socket is a TLS socket, connections are kept alive', async (t) => {
    const daemon = await startTls(t, [{ name: 'web', protocol: 'http' }])
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
    t.after(() => agent.destroy())
    const port = daemon.port('web')

    const first = await get(port, '/', { agent })
    assert.deepEqual([first.status, first.body['encrypted'], first.body['servername'], first.body['address']], [200, true, 'localhost', '127.0.0.1'])
    await get(port, '/', { agent })
    assert.equal(daemon.counted('web').accepted, 1)
    assert.equal((await get(port, '/throw', { agent })).status, 500)
  })

  test('websocket, and the WebSocket path of an http port', async (t) => {
    const websocket = { path: '/ws', handler: './ws.js' }
    const daemon = await startTls(t, [
      { name: 'ws', protocol: 'websocket' },
      { name: 'web', protocol: 'http', websocket },
    ])
    for (const url of [`wss://127.0.0.1:${daemon.port('ws')}/`, `wss://127.0.0.1:${daemon.port('web')}/ws`]) {
      const socket = new WebSocket(url, [], { ca: authority.cert, ALPNProtocols: ['http/1.1'] } as object)
      await once(socket, 'open')
      socket.send('tls')
      const info = JSON.parse(String((await once(socket, 'message'))[0]))
      assert.deepEqual([info.protocol, info.alpn], ['TLSv1.3', 'http/1.1'])
      const big = Buffer.alloc(900_000, 1)
      socket.send(big)
      assert.ok(big.equals((await once(socket, 'message'))[0] as Buffer))
      socket.close()
      assert.equal((await once(socket, 'close'))[0], 1005)
    }
  })
})
