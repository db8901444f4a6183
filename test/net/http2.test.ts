import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import https from 'node:https'
import { describe, type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { becomes, eventually } from '../reliability/process-figures.ts'
import { authority, startTls, type TlsDaemon } from '../tls-daemon.ts'

const WEB = { name: 'web', protocol: 'http', http2: true }

async function open(t: TestContext, daemon: TlsDaemon, options: http2.SecureClientSessionOptions = {}): Promise<http2.ClientHttp2Session> {
  const session = http2.connect(`https://127.0.0.1:${daemon.port('web')}`, { ca: authority.cert, servername: 'localhost', ...options })
  t.after(() => session.destroy())
  session.on('error', () => {})
  await once(session, 'connect')
  return session
}

interface Answer {
  readonly status: number
  readonly headers: http2.IncomingHttpHeaders
  readonly text: string
}

/** @param body sent with POST when it is there */
function ask(session: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders, body?: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': body === undefined ? 'GET' : 'POST', ...headers })
    let status = 0
    let all: http2.IncomingHttpHeaders = {}
    let text = ''
    stream.on('response', (response) => {
      status = Number(response[':status'])
      all = response
    })
    stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => (text += chunk))
    stream.on('error', reject)
    // Not 'close': before Node 26 that waits for what the server does not want any more.
    stream.on('end', () => (stream.rstCode === 0 ? resolve({ status, headers: all, text }) : reject(new Error(`reset with ${stream.rstCode}`))))
    stream.end(body)
  })
}

describe('HTTP/2', () => {
  test('reaches the same handler, many requests at a time on one connection', async (t) => {
    const daemon = await startTls(t, [{ ...WEB, limits: { bodyBytes: 8_000_000 } }])
    const session = await open(t, daemon)
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(session, { ':path': `/${i}` }, `body ${i}`)))

    for (const [i, { status, text }] of answers.entries()) {
      const { version, body, path, encrypted, address, method } = JSON.parse(text)
      assert.deepEqual([status, version, body, path, encrypted, address, method], [200, '2.0', `body ${i}`, `/${i}`, true, '127.0.0.1', 'POST'])
    }
    const big = 'x'.repeat(3_000_000)
    assert.equal(JSON.parse((await ask(session, { ':path': '/' }, big)).text).body, big)
    await becomes([1, 101, 101, 101], () => {
      const report = daemon.counted('web') as unknown as { accepted: number; messagesIn: number; messagesOut: number; requests: Record<string, number> }
      return [report.accepted, report.messagesIn, report.messagesOut, report.requests['POST 2xx']]
    })
  })

  test('goes beside HTTP/1.1 and WebSocket on one port', async (t) => {
    const daemon = await startTls(t, [{ ...WEB, websocket: { path: '/ws', handler: './ws.js' } }])
    const port = daemon.port('web')
    const session = await open(t, daemon)
    const webSocket = new WebSocket(`wss://127.0.0.1:${port}/ws`, { ca: authority.cert })
    await once(webSocket, 'open')
    webSocket.send('hello')
    const [message] = await once(webSocket, 'message')
    const response = await new Promise<string>((resolve, reject) => {
      https
        .get({ host: '127.0.0.1', port, path: '/', ca: authority.cert, servername: 'localhost' }, async (incoming) => {
          let text = ''
          for await (const chunk of incoming) text += chunk
          resolve(text)
        })
        .on('error', reject)
    })
    webSocket.close()

    assert.equal(String(message), 'hello')
    assert.equal(JSON.parse(response).version, '1.1')
    assert.equal(JSON.parse((await ask(session, { ':path': '/' })).text).version, '2.0')
  })

  test('is not spoken where http2 is not set', async (t) => {
    const daemon = await startTls(t, [{ name: 'web', protocol: 'http' }])
    await assert.rejects(open(t, daemon), /no application protocol/)
    await eventually('it is counted', () => daemon.counted('web').refused['tls'] === 1)
  })

  test('a handler that throws is answered with 500, and its neighbours go on', async (t) => {
    const daemon = await startTls(t, [WEB])
    const session = await open(t, daemon)
    const [failed, good] = await Promise.all([ask(session, { ':path': '/throw' }), ask(session, { ':path': '/' })])

    assert.deepEqual([failed.status, failed.text, good.status], [500, 'Internal Server Error\n', 200])
    assert.equal((await ask(session, { ':path': '/' })).status, 200)
  })

  test('reaches apps that know it, and is refused for Express and Nest on it, which do not', async (t) => {
    const apps = {
      fastify: `import Fastify from 'fastify'
        const app = Fastify()
        app.post('/*', async (request) => request.body)
        export default app`,
      hono: `import { Hono } from 'hono'
        export default new Hono().post('/*', async (context) => context.json(await context.req.json()))`,
      koa: `import Koa from 'koa'
        const app = new Koa()
        app.use(async (context) => { let text = ''; for await (const chunk of context.req) text += chunk; context.body = JSON.parse(text) })
        export default app`,
    }
    for (const [name, text] of Object.entries(apps)) {
      const daemon = await startTls(t, [{ ...WEB, handler: `./${name}.mjs` }], { [`${name}.mjs`]: text })
      const answer = await ask(await open(t, daemon), { ':path': '/x', 'content-type': 'application/json' }, '{"a":1}')
      assert.deepEqual([name, answer.status, answer.text], [name, 200, '{"a":1}'])
    }
    const express = { 'express.mjs': "import express from 'express'\nexport default express()" }
    await assert.rejects(startTls(t, [{ ...WEB, handler: './express.mjs' }], express), /an Express app knows HTTP\/1\.1 only/)
    const nest = `import { Module } from '@nestjs/common'
      import { NestFactory } from '@nestjs/core'
      class App {}
      Module({})(App)
      export default NestFactory.create(App, { abortOnError: false, logger: false })`
    await assert.rejects(startTls(t, [{ ...WEB, handler: './nest.mjs' }], { 'nest.mjs': nest }), /a Nest app knows HTTP\/1\.1 only/)
  })

  test('a handler finds the host where HTTP/1.1 has it', async (t) => {
    const host = `import { HttpHandler } from 'polyport'
      export default class Host extends HttpHandler { onRequest(request, response) { response.end(request.headers.host) } }`
    const daemon = await startTls(t, [{ ...WEB, handler: './host.js' }], { 'host.js': host })

    assert.equal((await ask(await open(t, daemon), { ':path': '/', ':authority': 'example.com' })).text, 'example.com')
  })

  test('a handler is told the client that a trusted proxy speaks for', async (t) => {
    const files = {
      'who.js': `import { clientAddress, HttpHandler } from 'polyport'
export default class Who extends HttpHandler { onRequest(request, response) { response.end(clientAddress(request)) } }`,
    }
    const daemon = await startTls(t, [{ ...WEB, handler: './who.js', trustedProxies: ['127.0.0.1'] }], files)
    const session = await open(t, daemon)

    assert.equal((await ask(session, { ':path': '/', 'x-forwarded-for': '192.0.2.7' })).text, '192.0.2.7')
    assert.equal((await ask(session, { ':path': '/' })).text, '127.0.0.1')
  })

  test('a client that breaks off in the middle of its body is no whole body, and no error of the handler', async (t) => {
    const daemon = await startTls(t, [WEB])
    const session = await open(t, daemon)
    const stream = session.request({ ':method': 'POST', ':path': '/' })
    stream.on('error', () => {})
    stream.write('half of ')
    await once(session, 'remoteSettings')
    stream.close(http2.constants.NGHTTP2_CANCEL)
    const report = (): { messagesIn: number; messagesOut: number; errors: number; requests: Record<string, number> } => daemon.counted('web') as never
    await eventually('it is over', () => report().messagesOut === 1)

    assert.equal((await ask(session, { ':path': '/' })).status, 200)
    assert.deepEqual([report().messagesIn, report().errors], [2, 0])
  })
})

describe('limits of HTTP/2', () => {
  interface Report {
    readonly requestsRefused: Record<string, number>
    readonly closed: Record<string, number>
  }
  const reportOf = (daemon: TlsDaemon): Report => daemon.counted('web') as unknown as Report

  test('a body that is too long is answered with 413, announced or not; the connection goes on', async (t) => {
    const daemon = await startTls(t, [{ ...WEB, limits: { bodyBytes: 1000 } }])
    const session = await open(t, daemon)

    assert.equal((await ask(session, { ':path': '/', 'content-length': 1001 }, 'x'.repeat(1001))).status, 413)
    assert.equal((await ask(session, { ':path': '/' }, 'x'.repeat(100_000))).status, 413)
    assert.equal((await ask(session, { ':path': '/' }, 'x'.repeat(1000))).status, 200)
    assert.equal(reportOf(daemon).requestsRefused['413 frame_too_long'], 2)
  })

  test('a request that does not come in whole in time is answered with 408', async (t) => {
    const daemon = await startTls(t, [{ ...WEB, limits: { headerSeconds: 0.2, requestSeconds: 0.5 } }])
    const session = await open(t, daemon)
    const stream = session.request({ ':method': 'POST', ':path': '/' })
    stream.write('half')
    stream.resume()
    const [headers] = await once(stream, 'response')

    assert.equal(headers[':status'], 408)
    assert.equal((await ask(session, { ':path': '/' })).status, 200)
  })

  test('a connection without requests is closed after keepAliveSeconds, with GOAWAY', async (t) => {
    const daemon = await startTls(t, [{ ...WEB, limits: { keepAliveSeconds: 0.5 } }])
    const session = await open(t, daemon)
    await ask(session, { ':path': '/' })
    const [[code]] = await Promise.all([once(session, 'goaway'), once(session, 'close')])

    assert.equal(code, http2.constants.NGHTTP2_NO_ERROR)
    await eventually('it is counted', () => reportOf(daemon).closed['heartbeat'] === 1)
  })

  test('a head that is too long is refused', async (t) => {
    const daemon = await startTls(t, [{ ...WEB, limits: { headerBytes: 2048, headerFields: 20 } }])
    const session = await open(t, daemon)

    assert.equal((await ask(session, { ':path': '/', 'x-long': 'x'.repeat(1500) })).status, 200)
    // Before the client has taken the setting over it gets an answer, later nghttp2's.
    const long = ask(session, { ':path': '/', 'x-long': 'x'.repeat(2000) }).then(({ status }) => assert.equal(status, 431))
    await long.catch((error: Error) => assert.match(String(error), /ENHANCE_YOUR_CALM/))
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`x-${i}`, 'y']))
    await assert.rejects(ask(session, { ':path': '/', ...many }), /ENHANCE_YOUR_CALM/)
    assert.equal((await ask(session, { ':path': '/' })).status, 200)
  })

  test('a client has 128 requests under way at most: more wait, and one that does not listen is cut', async (t) => {
    const daemon = await startTls(t, [{ ...WEB, options: { slowMs: 300 } }])
    const session = await open(t, daemon)
    await eventually('the client knows', () => session.remoteSettings.maxConcurrentStreams === 128)

    const answers = await Promise.all(Array.from({ length: 300 }, () => ask(session, { ':path': '/slow' })))
    assert.ok(answers.every(({ status }) => status === 200))
  })
})

describe('the end of HTTP/2', () => {
  test('a stop says GOAWAY, and answers what is under way', async (t) => {
    const daemon = await startTls(t, [{ ...WEB, options: { slowMs: 400 } }])
    const session = await open(t, daemon)
    const slow = ask(session, { ':path': '/slow' })
    const goaway = once(session, 'goaway')
    await eventually('it is under way', () => (daemon.counted('web') as unknown as { messagesIn: number }).messagesIn === 1)
    const stopped = daemon.daemon.stop()

    await goaway
    assert.equal((await slow).status, 200)
    await Promise.all([stopped, session.closed || once(session, 'close')])
    assert.equal(daemon.counted('web').closed['shutdown'], 1)
  })
})
