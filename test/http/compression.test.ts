import assert from 'node:assert/strict'
import http from 'node:http'
import { describe, type TestContext, test } from 'node:test'
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import type { Daemon } from 'polyport'
import { folderOf, serveFolder } from '../apps/temporary.ts'
import { eventsOf, portOf } from '../suites/app-suite.ts'

const LONG = 'hello '.repeat(1000)

const HANDLER = `import { gzipSync } from 'node:zlib'
import { pipeline, Readable } from 'node:stream'
const LONG = 'hello '.repeat(1000)
let goOn = () => {}
const routes = {
  '/long': (response) => response.end(LONG),
  '/short': (response) => response.end('short'),
  '/image': (response) => response.setHeader('Content-Type', 'image/png').end(LONG),
  '/encoded': (response) => response.setHeader('Content-Encoding', 'gzip').end(gzipSync(LONG)),
  '/tagged': (response) => response.setHeader('ETag', '"strong"').end(LONG),
  '/keep': (response) => response.setHeader('Cache-Control', 'no-transform').end(LONG),
  '/length': (response) => response.writeHead(200, { 'Content-Length': LONG.length }).end(LONG),
  '/range': (response) => response.writeHead(206, { 'Content-Range': 'bytes 0-5999/9000' }).end(LONG),
  '/unchanged': (response) => response.writeHead(304, { ETag: '"strong"' }).end(),
  '/empty': (response) => response.writeHead(204).end(),
  '/callbacks': (response) => response.write(LONG, 'utf8', () => response.end(LONG, 'utf8', () => goOn())),
  '/finished': (response) => { goOn = () => response.end('yes') },
  '/stream': (response) => pipeline(Readable.from(Array.from({ length: 100 }, () => LONG)), response, () => {}),
  '/events': (response) => { response.setHeader('Content-Type', 'text/event-stream'); response.write('data: one\\n\\n'); goOn = () => response.end('data: two\\n\\n') },
  '/go-on': (response) => { goOn(); response.writeHead(204).end() },
}
export default (request, response) => { response.setHeader('Content-Type', 'text/plain'); routes[request.url](response) }`

interface Raw {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

function get(daemon: Daemon, path: string, accept?: string, method = 'GET'): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const headers = accept === undefined ? {} : { 'Accept-Encoding': accept }
    const request = http.request({ host: '127.0.0.1', port: portOf(daemon), path, method, headers, agent: false }, async (response) => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk)
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) })
    })
    request.on('error', reject).end()
  })
}

function start(t: TestContext, compression: boolean | object): Promise<Daemon> {
  const dir = folderOf(t, { 'app.mjs': HANDLER, 'public/page.html': LONG })
  return serveFolder(t, dir, { handler: './app.mjs', static: './public', compression: compression as boolean })
}

describe('compression', () => {
  test('is off by default', async (t) => {
    const { headers } = await get(await start(t, false), '/long', 'gzip')

    assert.deepEqual([headers['content-encoding'], headers.vary], [undefined, undefined])
  })

  test('is what the client accepts, brotli before gzip', async (t) => {
    const daemon = await start(t, true)
    const encoded = async (accept?: string): Promise<unknown[]> => {
      const { headers, body } = await get(daemon, '/long', accept)
      const encoding = headers['content-encoding']
      const plain = encoding === 'br' ? brotliDecompressSync(body) : encoding === 'gzip' ? gunzipSync(body) : encoding === 'deflate' ? inflateSync(body) : body
      return [encoding, headers.vary, plain.toString() === LONG]
    }

    assert.deepEqual(await encoded('gzip, deflate, br'), ['br', 'Accept-Encoding', true])
    assert.deepEqual(await encoded('gzip'), ['gzip', 'Accept-Encoding', true])
    assert.deepEqual(await encoded('deflate'), ['deflate', 'Accept-Encoding', true])
    assert.deepEqual(await encoded('br;q=0, gzip;q=0.5'), ['gzip', 'Accept-Encoding', true])
    assert.deepEqual(await encoded('zstd'), [undefined, 'Accept-Encoding', true])
    assert.deepEqual(await encoded(), [undefined, 'Accept-Encoding', true])
  })

  test('leaves alone what is short, of another type, compressed already, in part, or not to be changed', async (t) => {
    const daemon = await start(t, true)

    for (const path of ['/short', '/image', '/keep', '/range']) assert.equal((await get(daemon, path, 'gzip')).headers['content-encoding'], undefined, path)
    assert.equal(gunzipSync((await get(daemon, '/encoded', 'gzip')).body).toString(), LONG)
  })

  test('takes its threshold from the config', async (t) => {
    const daemon = await start(t, { threshold: 5, level: 1, quality: 1 })

    assert.equal((await get(daemon, '/short', 'gzip')).headers['content-encoding'], 'gzip')
  })

  test('drops the length, and makes a strong tag weak', async (t) => {
    const daemon = await start(t, true)

    assert.equal((await get(daemon, '/length', 'gzip')).headers['content-length'], undefined)
    assert.equal((await get(daemon, '/tagged', 'gzip')).headers.etag, 'W/"strong"')
    assert.equal((await get(daemon, '/tagged')).headers.etag, '"strong"')
  })

  test('answers HEAD, 204 and 304 without a body', async (t) => {
    const daemon = await start(t, true)

    assert.deepEqual(await statusAndLength(daemon, '/long', 'HEAD'), [200, 0])
    assert.deepEqual(await statusAndLength(daemon, '/empty'), [204, 0])
    assert.deepEqual(await statusAndLength(daemon, '/unchanged'), [304, 0])
  })

  test('of a stream loses nothing, and does not hold events up', async (t) => {
    const daemon = await start(t, true)

    assert.equal(gunzipSync((await get(daemon, '/stream', 'gzip')).body).toString(), LONG.repeat(100))
    const { first, rest } = await eventsOf(portOf(daemon))
    assert.deepEqual([first, rest], ['data: one\n\n', 'data: two\n\n'])
  })

  test('calls back who waits for a write and for the end', async (t) => {
    const daemon = await start(t, true)
    const finished = get(daemon, '/finished')
    await get(daemon, '/short')

    const { body } = await get(daemon, '/callbacks', 'gzip')

    assert.equal(gunzipSync(body).toString(), LONG + LONG)
    assert.equal((await finished).body.toString(), 'yes')
  })

  test('is of static files, too, but not of a part of one', async (t) => {
    const daemon = await start(t, true)

    const { headers, body } = await get(daemon, '/page.html', 'br')

    assert.equal(headers['content-encoding'], 'br')
    assert.equal(brotliDecompressSync(body).toString(), LONG)
  })
})

async function statusAndLength(daemon: Daemon, path: string, method = 'GET'): Promise<number[]> {
  const { status, headers, body } = await get(daemon, path, 'gzip', method)
  assert.equal(headers['content-encoding'], undefined)
  return [status, body.length]
}
