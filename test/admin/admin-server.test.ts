import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { adminServer, ask, STATUS, silentLog, startAdmin } from './fixtures.ts'

const TOKEN = 'a-token-of-16-or-more'
const BEARER = { authorization: `Bearer ${TOKEN}` }

describe('AdminServer', () => {
  test('serves its five pages, with their types', async (context) => {
    const target = await startAdmin(context)

    const types = new Map<string, unknown>()
    for (const path of ['/', '/metrics', '/healthz', '/readyz', '/api/status']) {
      const reply = await ask(target, path)
      assert.equal(reply.status, 200, path)
      types.set(path, reply.headers['content-type'])
    }

    assert.equal(types.get('/metrics'), 'text/plain; version=0.0.4; charset=utf-8')
    assert.equal(types.get('/api/status'), 'application/json; charset=utf-8')
    assert.equal(types.get('/'), 'text/html; charset=utf-8')
    assert.deepEqual(JSON.parse((await ask(target, '/api/status?x=1')).body), STATUS)
    assert.equal((await ask(target, '/metrics')).body, 'x 1\n')
  })

  test('the page at / links to every page', async (context) => {
    const { body } = await ask(await startAdmin(context), '/')

    for (const path of ['/metrics', '/healthz', '/readyz', '/api/status']) assert.ok(body.includes(`href="${path}"`), path)
  })

  test('/readyz is 503 with the reason until all listens; /healthz is 200 all the time', async (context) => {
    let reason: string | undefined = 'worker 1 does not listen yet'
    const target = await startAdmin(context, { readiness: () => reason })

    const waiting = await ask(target, '/readyz')
    assert.deepEqual([waiting.status, waiting.body], [503, 'not ready: worker 1 does not listen yet\n'])
    assert.equal((await ask(target, '/healthz')).status, 200)

    reason = undefined
    assert.equal((await ask(target, '/readyz')).status, 200)
  })

  test('answers HEAD as GET without the body, 404, and 405 with Allow', async (context) => {
    const target = await startAdmin(context)

    const head = await ask(target, '/metrics', { method: 'HEAD' })
    assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, '4', ''])
    assert.equal((await ask(target, '/nothing')).status, 404)
    assert.equal((await ask(target, '/constructor')).status, 404)
    const post = await ask(target, '/metrics', { method: 'POST' })
    assert.deepEqual([post.status, post.headers['allow']], [405, 'GET, HEAD'])
    const get = await ask(target, '/api/stop')
    assert.deepEqual([get.status, get.headers['allow']], [405, 'POST'])
  })

  test('every answer has security headers', async (context) => {
    const target = await startAdmin(context)

    for (const path of ['/', '/nothing', '/metrics']) {
      const { headers } = await ask(target, path)
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.equal(headers['cache-control'], 'no-store')
      assert.match(String(headers['content-security-policy']), /default-src 'none'/)
    }
  })

  test('with a token everything but health checks asks for it', async (context) => {
    let stops = 0
    const target = await startAdmin(context, { token: TOKEN, stop: () => stops++ })
    const wrong = [
      {},
      { authorization: 'Bearer wrong' },
      { authorization: `Basic ${TOKEN}` },
      { authorization: TOKEN },
      { authorization: `Bearer ${TOKEN}x` },
      { authorization: 'Bearer ' },
    ]

    for (const path of ['/healthz', '/readyz']) assert.equal((await ask(target, path)).status, 200, path)
    for (const path of ['/', '/metrics', '/api/status', '/nothing']) {
      for (const headers of wrong) {
        const reply = await ask(target, path, { headers })
        assert.equal(reply.status, 401, `${path} ${JSON.stringify(headers)}`)
        assert.match(String(reply.headers['www-authenticate']), /^Bearer /)
      }
      assert.equal((await ask(target, path, { headers: BEARER })).status, path === '/nothing' ? 404 : 200, path)
    }
    for (const headers of wrong) assert.equal((await ask(target, '/api/stop', { method: 'POST', headers })).status, 401)
    assert.equal(stops, 0)
    assert.equal((await ask(target, '/metrics', { headers: { ...BEARER, host: 'metrics.example' } })).status, 200)
  })

  test('POST /api/stop with the token answers 202 and then stops, once', async (context) => {
    const stopped = Promise.withResolvers<void>()
    let stops = 0
    const target = await startAdmin(context, {
      token: TOKEN,
      stop: () => {
        stops++
        stopped.resolve()
      },
    })

    const reply = await ask(target, '/api/stop', { method: 'POST', headers: BEARER, body: 'ignored' })
    await stopped.promise

    assert.deepEqual([reply.status, JSON.parse(reply.body)], [202, { state: 'stopping' }])
    assert.equal(stops, 1)
  })

  test('without a token nothing changes and only own host names are answered', async (context) => {
    const target = await startAdmin(context, { stop: () => assert.fail('stopped') })

    const reply = await ask(target, '/api/stop', { method: 'POST' })
    assert.deepEqual([reply.status, /admin\.token/.test(reply.body)], [403, true])
    for (const host of ['localhost', 'localhost:5299', 'LOCALHOST:1', '127.0.0.1', '127.0.0.9:80', '[::1]:80', 'app.localhost']) {
      assert.equal((await ask(target, '/metrics', { headers: { host } })).status, 200, host)
    }
    for (const host of ['evil.example', 'evil.example:5299', '127.0.0.1.evil.example', 'localhost.evil.example', '10.0.0.1']) {
      assert.equal((await ask(target, '/metrics', { headers: { host } })).status, 403, host)
      assert.equal((await ask(target, '/healthz', { headers: { host } })).status, 200, host)
    }
  })

  test('start() refuses an address beyond loopback without a token', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.com']) {
      await assert.rejects(adminServer().start({ host, port: 0 }), { code: 'POLYPORT_BIND', message: /without admin\.token it may listen on loopback only/ })
    }
  })

  test('start() says in one sentence that the address is taken', async (context) => {
    const target = await startAdmin(context)
    assert.ok('port' in target)

    await assert.rejects(adminServer().start({ host: '127.0.0.1', port: target.port }), {
      code: 'POLYPORT_BIND',
      message: `Cannot open the admin port on 127.0.0.1:${target.port}: another process listens there; stop it or choose another address (EADDRINUSE)`,
    })
  })

  test('an error in a page is answered with 500, logged, and ends nothing else', async (context) => {
    const errors: unknown[] = []
    const target = await startAdmin(context, { log: silentLog(errors), metrics: () => Promise.reject(new Error('broken')) })

    const reply = await ask(target, '/metrics')

    assert.equal(reply.status, 500)
    assert.doesNotMatch(reply.body, /broken/)
    assert.equal(errors.length, 1)
    assert.equal((await ask(target, '/healthz')).status, 200)
  })

  test('a body that says it is over 64 KiB is answered with 413, one that grows over it is cut', async (context) => {
    const target = await startAdmin(context, { token: TOKEN, stop: () => assert.fail('stopped') })
    assert.ok('port' in target)

    const long = connect(target.port, target.host)
    long.write(`POST /api/stop HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Length: 1000000000\r\n\r\n`)
    let answer = ''
    for await (const chunk of long) answer += chunk
    assert.match(answer, /^HTTP\/1\.1 413 .*Connection: close/s)

    const growing = connect(target.port, target.host)
    growing.on('error', () => {})
    growing.write('GET /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n')
    growing.write(`20000\r\n${'x'.repeat(0x20000)}\r\n`)
    growing.resume()
    // Not once(): it takes a reset for a failure.
    await new Promise((resolve) => growing.once('close', resolve))
  })

  test('stop() ends open connections within its second and can be called twice', async (context) => {
    const asked = Promise.withResolvers<void>()
    const server = adminServer({
      metrics: () => {
        asked.resolve()
        return new Promise(() => {})
      },
    })
    context.after(() => server.stop())
    await server.start({ host: '127.0.0.1', port: 0 })
    const socket = connect(Number(server.address?.split(':').at(-1)), '127.0.0.1')
    socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await asked.promise

    const begin = performance.now()
    await Promise.all([server.stop(), once(socket.resume(), 'close')])
    await server.stop()

    assert.ok(performance.now() - begin < 3000)
    assert.equal(server.address, undefined)
  })
})
