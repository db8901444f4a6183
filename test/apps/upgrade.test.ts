import assert from 'node:assert/strict'
import { once } from 'node:events'
import type http from 'node:http'
import net from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import type { Daemon } from 'polyport'
import { WebSocket } from 'ws'
import { DaemonProcess } from '../daemon-process.ts'
import { becomes } from '../reliability/process-figures.ts'
import { ask, portOf } from '../suites/app-suite.ts'
import { folderOf, serveFolder } from './temporary.ts'

// What express-session does, in small: it puts the session on the request, and saves it and sets its cookie when the response ends.
const SESSIONS = `
const sessions = new Map()
export function session(request, response, next) {
  const id = /sid=(\\w+)/.exec(request.headers.cookie ?? '')?.[1] ?? Math.random().toString(36).slice(2)
  request.session = sessions.get(id) ?? {}
  const { writeHead, end } = response
  response.writeHead = function (...all) {
    this.appendHeader('Set-Cookie', 'sid=' + id + '; HttpOnly')
    return writeHead.apply(this, all)
  }
  response.end = function (...all) {
    setImmediate(() => {
      sessions.set(id, request.session)
      end.apply(this, all)
    })
    return this
  }
  next()
}`

const EXPRESS = `import express from 'express'
import { session } from './session.mjs'
const app = express()
app.use(session)
let begun
app.get('/end', (request, response) => { begun.end('the end'); response.end() })
app.post('/login', (request, response) => { request.session.user = 'ann'; response.send('in') })
app.get('/visits', (request, response) => response.json(request.session.visits ?? 0))
app.use('/ws', (request, response, next) => {
  if (request.query.how === 'throw') throw new Error('thrown')
  if (request.query.how === 'status') return next(Object.assign(new Error('no'), { status: 403 }))
  if (request.query.how === 'redirect') return response.redirect('/login')
  if (request.query.how === 'break') { response.status(500).write('half'); return response.destroy() }
  if (request.query.how === 'large') return response.status(400).send('x'.repeat(3_000_000))
  if (request.query.how === 'never') return
  if (request.query.how === 'begun') { begun = response; return void response.status(403).write('x'.repeat(1_000_000)) }
  if (request.query.how === 'answer') return response.sendStatus(204)
  if (request.session.user === undefined) return response.status(401).set('WWW-Authenticate', 'Form').json({ error: 'log in' })
  request.user = request.session.user
  request.session.visits = (request.session.visits ?? 0) + 1
  setTimeout(next, 10)
})
export default app`

const FASTIFY = `import { fastify } from 'fastify'
const app = fastify()
app.decorateRequest('user', null)
const authenticate = async (request, reply) => {
  const { user } = request.query
  if (user === undefined) return reply.code(401).send({ error: 'log in' })
  request.raw.user = user
}
app.get('/ws', { preHandler: authenticate }, async (request, reply) => reply.code(204).send())
export default app`

const KOA = `import Koa from 'koa'
const app = new Koa()
app.use(async (context, next) => {
  context.set('X-App', 'koa')
  if (context.query.user === undefined) context.throw(401, 'log in')
  context.req.user = context.query.user
  context.cookies.set('seen', 'yes')
  await next()
})
app.use((context) => { if (context.path === '/ws') context.status = 204 })
export default app`

// Decorators are a compiler's: this is what it makes of them.
const NEST = `import { Controller, Get, HttpCode, Module, Req, UnauthorizedException, UseGuards } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
class Guard {
  canActivate(context) {
    const request = context.switchToHttp().getRequest()
    if (request.query.user === undefined) throw new UnauthorizedException('log in')
    request.user = request.query.user
    return true
  }
}
class Upgrades { ws() {} }
Controller()(Upgrades)
const { value } = Object.getOwnPropertyDescriptor(Upgrades.prototype, 'ws')
for (const decorate of [Get('/ws'), HttpCode(204), UseGuards(Guard)]) decorate(Upgrades.prototype, 'ws', { value })
class App {}
Module({ controllers: [Upgrades] })(App)
export default NestFactory.create(App, { abortOnError: false, logger: false })`

const HONO = `import { Hono } from 'hono'
const app = new Hono()
app.get('/ws', (context) => (context.req.query('user') === undefined ? context.text('log in', 401) : context.body(null, 204)))
export default app`

const SOCKET = `import { WebSocketHandler } from 'polyport'
export default class Room extends WebSocketHandler {
  onUpgrade(request) { return { uid: request.user } }
  onOpen(connection, request) { connection.send('welcome ' + request.user + ' as ' + connection.uid) }
  onMessage(connection, message) { connection.send(message) }
}`

const FILES = {
  'session.mjs': SESSIONS,
  'express.mjs': EXPRESS,
  'fastify.mjs': FASTIFY,
  'koa.mjs': KOA,
  'nest.mjs': NEST,
  'hono.mjs': HONO,
  'socket.mjs': SOCKET,
}
const WEBSOCKET = { path: '/ws', handler: './socket.mjs', authorize: true }

interface Opened {
  readonly message?: string
  readonly cookies?: string[] | undefined
  readonly status?: number | undefined
  readonly headers?: http.IncomingHttpHeaders
  readonly body?: string
  readonly failure?: string
}

/** What comes of an upgrade: the first message, or the refusal. */
async function open(daemon: Daemon, path: string, headers: Record<string, string> = {}): Promise<Opened> {
  const socket = new WebSocket(`ws://127.0.0.1:${portOf(daemon)}${path}`, { headers })
  let cookies: string[] | undefined
  socket.on('upgrade', (response) => {
    cookies = response.headers['set-cookie']
  })
  return new Promise((resolve) => {
    socket.on('error', ({ message }) => resolve({ failure: message }))
    socket.on('message', (data) => {
      resolve({ message: String(data), cookies })
      socket.close()
    })
    socket.on('unexpected-response', async (_request, response: http.IncomingMessage) => {
      let body = ''
      try {
        for await (const chunk of response) body += chunk
      } catch {
        return resolve({ failure: 'broken off' })
      }
      resolve({ status: response.statusCode, headers: response.headers, body })
    })
  })
}

function start(t: TestContext, app: string, websocket: object = WEBSOCKET): Promise<Daemon> {
  return serveFolder(t, folderOf(t, FILES), { handler: `./${app}.mjs`, websocket: websocket as typeof WEBSOCKET })
}

async function login(daemon: Daemon): Promise<{ cookie: string }> {
  const { headers } = await ask(portOf(daemon), { method: 'POST', path: '/login' })
  return { cookie: headers['set-cookie']?.[0]?.split(';')[0] ?? '' }
}

describe('an upgrade that the app authorises', () => {
  test("has what Express's middleware put on the request, which saves its session and sets its cookie", async (t) => {
    const daemon = await start(t, 'express')
    const headers = await login(daemon)

    const { message, cookies } = await open(daemon, '/ws', headers)

    assert.equal(message, 'welcome ann as ann')
    assert.deepEqual(cookies, [`${headers.cookie}; HttpOnly`])
    assert.equal((await ask(portOf(daemon), { path: '/visits', headers })).body, '1')
  })

  test('is refused with the answer of the app: status, headers and body', async (t) => {
    const daemon = await start(t, 'express')

    const { status, headers, body } = await open(daemon, '/ws')

    assert.deepEqual([status, body, headers?.['www-authenticate'], headers?.['connection']], [401, '{"error":"log in"}', 'Form', 'close'])
    assert.deepEqual(daemon.stats().connections, 0)
  })

  test('is refused by a redirect, an error with a status, and a throw', async (t) => {
    const daemon = await start(t, 'express')
    const headers = await login(daemon)

    assert.deepEqual((await open(daemon, '/ws?how=redirect', headers)).headers?.location, '/login')
    assert.equal((await open(daemon, '/ws?how=status', headers)).status, 403)
    assert.equal((await open(daemon, '/ws?how=throw', headers)).status, 500)
    assert.equal((await open(daemon, '/ws?how=large', headers)).body?.length, 3_000_000)
    assert.match((await open(daemon, '/ws?how=break', headers)).failure ?? '', /broken off|hang up/)
  })

  test('is accepted by an answer that is a success', async (t) => {
    const daemon = await start(t, 'express')

    assert.equal((await open(daemon, '/ws?how=answer')).message, 'welcome undefined as undefined')
  })

  test("has what Fastify's hooks put on the raw request, and needs a route", async (t) => {
    const daemon = await start(t, 'fastify')
    const other = await start(t, 'fastify', { ...WEBSOCKET, path: '/other' })

    assert.equal((await open(daemon, '/ws?user=bob')).message, 'welcome bob as bob')
    assert.deepEqual(await bodyAndStatus(daemon, '/ws'), [401, '{"error":"log in"}'])
    assert.equal((await open(other, '/other')).status, 404)
  })

  test("has what Koa's middleware put on the request, sets its cookie, and needs an answer", async (t) => {
    const daemon = await start(t, 'koa')
    const other = await start(t, 'koa', { ...WEBSOCKET, path: '/other' })

    const { message, cookies } = await open(daemon, '/ws?user=kim')
    const refused = await open(daemon, '/ws')

    assert.deepEqual([message, cookies], ['welcome kim as kim', ['seen=yes; path=/; httponly']])
    assert.deepEqual([refused.status, refused.body], [401, 'log in'])
    assert.equal((await open(other, '/other?user=kim')).status, 404)
  })

  test("has what Nest's guards put on the request, and needs a route", async (t) => {
    const daemon = await start(t, 'nest')
    const other = await start(t, 'nest', { ...WEBSOCKET, path: '/other' })

    const refused = await open(daemon, '/ws')

    assert.equal((await open(daemon, '/ws?user=nat')).message, 'welcome nat as nat')
    assert.deepEqual([refused.status, JSON.parse(refused.body ?? '')], [401, { message: 'log in', error: 'Unauthorized', statusCode: 401 }])
    assert.equal((await open(other, '/other?user=nat')).status, 404)
  })

  test('is let in or refused by an app with fetch, which can put nothing on the request', async (t) => {
    const daemon = await start(t, 'hono')

    assert.equal((await open(daemon, '/ws?user=ann')).message, 'welcome undefined as undefined')
    assert.deepEqual(await bodyAndStatus(daemon, '/ws'), [401, 'log in'])
  })

  test('leaves the app to its requests, on this path, too', async (t) => {
    const daemon = await start(t, 'express')

    assert.equal((await ask(portOf(daemon), { path: '/ws' })).status, 401)
    assert.equal((await ask(portOf(daemon), { path: '/visits' })).body, '0')
  })

  test('is none without "authorize"', async (t) => {
    const daemon = await start(t, 'express', { path: '/ws', handler: './socket.mjs' })

    assert.equal((await open(daemon, '/ws')).message, 'welcome undefined as undefined')
  })

  test('that is refused is counted, and a throw is logged; a client that goes meanwhile ends nothing', async (t) => {
    const ports = [{ name: 'web', protocol: 'http', port: 0, handler: './express.mjs', websocket: WEBSOCKET }]
    const daemon = await DaemonProcess.start(t, { ports }, { files: FILES })
    const { host, port } = await daemon.address('web')
    const upgrade = (path: string): string =>
      `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`
    const refused = net.connect(port, host).end(upgrade('/ws?how=throw'))
    refused.resume()
    await once(refused, 'close')
    for (let i = 0; i < 20; i++) {
      const gone = net.connect(port, host)
      gone.write(upgrade('/ws?how=large'))
      await once(gone, i % 2 === 0 ? 'connect' : 'readable')
      gone.resetAndDestroy()
    }

    assert.equal((await ask(port, { path: '/visits' })).body, '0')
    await daemon.line(/"callback":"onRequest","msg":"Handler failed in onRequest"/)
    assert.match(await daemon.metrics(), /polyport_connections_refused_total\{port="web",reason="denied"\} [1-9]/)
    assert.equal(await daemon.stop(), 0)
  })

  test('that takes longer than upgradeSeconds is refused once', async (t) => {
    const ports = [{ name: 'web', protocol: 'http', port: 0, handler: './express.mjs', websocket: { ...WEBSOCKET, limits: { upgradeSeconds: 1 } } }]
    const daemon = await DaemonProcess.start(t, { ports }, { files: FILES })
    const { host, port } = await daemon.address('web')
    const socket = new WebSocket(`ws://${host}:${port}/ws?how=never`)
    const response: http.IncomingMessage = await new Promise((resolve, reject) => {
      socket.on('unexpected-response', (_request, response) => resolve(response))
      socket.on('error', reject)
    })
    response.resume()
    await once(response, 'close')
    await daemon.line(/has not answered in time/)

    assert.equal(response.statusCode, 503)
    const refusals = (await daemon.metrics()).matchAll(/^polyport_connections_refused_total\{port="web",reason="(\w+)"\} ([1-9]\d*)$/gm)
    assert.deepEqual(
      Array.from(refusals, ([, reason, count]) => [reason, count]),
      [['error', '1']],
    )
  })

  test('whose refusal is on its way when upgradeSeconds end gets the rest of it, and nothing else', async (t) => {
    const ports = [{ name: 'web', protocol: 'http', port: 0, handler: './express.mjs', websocket: { ...WEBSOCKET, limits: { upgradeSeconds: 1 } } }]
    const daemon = await DaemonProcess.start(t, { ports }, { files: FILES })
    const { host, port } = await daemon.address('web')
    const upgrade = (how: string): Promise<http.IncomingMessage> =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`ws://${host}:${port}/ws?how=${how}`)
        socket.on('unexpected-response', (_request, response) => resolve(response))
        socket.on('error', reject)
      })
    const response = await upgrade('begun')

    // It was asked later, so that the time of the other one is over, too.
    ;(await upgrade('never')).resume()
    await ask(port, { path: '/end' })
    let body = ''
    for await (const chunk of response.setEncoding('latin1')) body += chunk

    assert.equal(response.statusCode, 403)
    assert.equal(body.replaceAll('x', ''), 'the end')
    await becomes(['denied 1', 'error 1'], async () => {
      const refusals = (await daemon.metrics()).matchAll(/^polyport_connections_refused_total\{port="web",reason="(\w+)"\} ([1-9]\d*)$/gm)
      return Array.from(refusals, ([, reason, count]) => `${reason} ${count}`).sort()
    })
  })
})

async function bodyAndStatus(daemon: Daemon, path: string): Promise<unknown[]> {
  const { status, body } = await open(daemon, path)
  return [status, body]
}
