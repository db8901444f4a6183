import assert from 'node:assert/strict'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { folderOf, serveFolder } from '../apps/temporary.ts'
import { type Answer, type Asked, ask, portOf } from '../suites/app-suite.ts'

const FILES = {
  'app.mjs': `export default (request, response) => response.end('handler ' + request.method)`,
  'public/index.html': '<h1>Home</h1>',
  'public/digits.txt': '0123456789',
  'public/sub/index.html': 'Sub',
  'public/about.html': 'About',
  'public/a b ü.txt': 'odd name',
  'public/empty.txt': '',
  'public/.hidden': 'secret',
  'public/.git/config': 'secret',
  'public/sub/.env': 'secret',
  'public/.well-known/security.txt': 'Contact: us',
  'public/.well-known/acme-challenge/token': 'proof',
  'public-secret/file.txt': 'secret',
  'outside.txt': 'secret',
}

type Get = (path: string, asked?: Partial<Asked>) => Promise<Answer>

async function start(t: TestContext, prepare: (folder: string) => void = () => {}): Promise<Get> {
  const dir = folderOf(t, FILES)
  prepare(join(dir, 'public'))
  const daemon = await serveFolder(t, dir, { handler: './app.mjs', static: './public' })
  return (path, asked) => ask(portOf(daemon), { path, ...asked })
}

/**
 * Asks for a large file and for another behind it, and changes the first when it has begun and cannot go on, as nobody reads.
 * @returns what came behind the head of the first
 */
async function changedMidway(t: TestContext, change: (file: string) => void): Promise<{ body: Buffer; size: number }> {
  const size = 64 * 1024 * 1024
  const dir = folderOf(t, { ...FILES, 'public/large.bin': '' })
  const file = join(dir, 'public', 'large.bin')
  truncateSync(file, size)
  const daemon = await serveFolder(t, dir, { handler: './app.mjs', static: './public' })
  const socket = net.connect(portOf(daemon), '127.0.0.1')
  socket.on('error', () => {})
  socket.write('GET /large.bin HTTP/1.1\r\nHost: here\r\n\r\nGET /digits.txt HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n')
  await once(socket, 'readable')
  change(file)
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'close')
  const all = Buffer.concat(chunks)
  return { body: all.subarray(all.indexOf('\r\n\r\n') + 4), size }
}

describe('static files', () => {
  test('are served with type, length, tag and date, and are to be asked for anew', async (t) => {
    const get = await start(t)

    const { status, headers, body } = await get('/digits.txt')

    assert.deepEqual([status, body], [200, '0123456789'])
    assert.deepEqual([headers['content-type'], headers['content-length'], headers['accept-ranges']], ['text/plain;charset=utf-8', '10', 'bytes'])
    assert.equal(headers['cache-control'], 'no-cache')
    assert.match(headers.etag ?? '', /^W\/"10-\d+"$/)
    assert.ok(Date.parse(headers['last-modified'] ?? '') <= Date.now())
  })

  test('may be the index of a folder, an .html without its end, and have odd names', async (t) => {
    const get = await start(t)

    assert.equal((await get('/')).body, '<h1>Home</h1>')
    assert.equal((await get('/?q')).headers['content-type'], 'text/html;charset=utf-8')
    assert.equal((await get('/sub/')).body, 'Sub')
    for (const path of ['/sub', '//sub', '/%73ub', '/sub?a=/b?c']) {
      const { status, headers } = await get(path)
      assert.equal(status, 301, path)
      assert.equal(
        new URL(headers.location ?? '', `http://here${path.replace('//', '/x/../')}`).href,
        `http://here${path.replace('//', '/').replace(/sub|%73ub/, '$&/')}`,
      )
    }
    assert.equal((await get('/.well-known/acme-challenge/token')).headers['content-type'], 'application/octet-stream')
    assert.equal((await get('/about')).body, 'About')
    assert.equal((await get('/a%20b%20%C3%BC.txt')).body, 'odd name')
    assert.equal((await get('/empty.txt')).headers['content-length'], '0')
  })

  test('that are not there are for the handler, as are all methods but GET and HEAD', async (t) => {
    const get = await start(t)

    assert.equal((await get('/nothing')).body, 'handler GET')
    assert.equal((await get('/sub/nothing.html')).body, 'handler GET')
    assert.equal((await get('/%zz')).body, 'handler GET')
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) assert.equal((await get('/digits.txt', { method })).body, `handler ${method}`)
  })

  test('answer HEAD as GET, without a body', async (t) => {
    const get = await start(t)

    const { status, headers, body } = await get('/digits.txt', { method: 'HEAD', headers: { Range: 'bytes=0-1' } })

    assert.deepEqual([status, headers['content-length'], body], [200, '10', ''])
  })

  test('are served in part', async (t) => {
    const get = await start(t)
    const range = async (text: string): Promise<unknown[]> => {
      const { status, headers, body } = await get('/digits.txt', { headers: { Range: text } })
      return [status, headers['content-range'], headers['content-length'], body]
    }

    assert.deepEqual(await range('bytes=0-0'), [206, 'bytes 0-0/10', '1', '0'])
    assert.deepEqual(await range('bytes=2-4'), [206, 'bytes 2-4/10', '3', '234'])
    assert.deepEqual(await range('bytes=-3'), [206, 'bytes 7-9/10', '3', '789'])
    assert.deepEqual(await range('bytes=8-'), [206, 'bytes 8-9/10', '2', '89'])
    assert.deepEqual(await range('bytes=10-'), [416, 'bytes */10', undefined, ''])
    assert.deepEqual(await range('bytes=0-1,3-4'), [200, undefined, '10', '0123456789'])
    assert.deepEqual(await range('lines=1-2'), [200, undefined, '10', '0123456789'])
  })

  test('are served in part only while they are the same', async (t) => {
    const get = await start(t)
    const { headers } = await get('/digits.txt')
    const status = async (before: string | undefined): Promise<number> =>
      (await get('/digits.txt', { headers: { Range: 'bytes=1-2', 'If-Range': before } })).status

    assert.equal(await status(headers['last-modified']), 206)
    assert.equal(await status('Thu, 01 Jan 1970 00:00:00 GMT'), 200)
    // A weak tag says nothing of bytes.
    assert.equal(await status(headers.etag), 200)
  })

  test('are not sent again to who has them', async (t) => {
    const get = await start(t)
    const { headers } = await get('/digits.txt')
    const conditional = (asked: Record<string, string | undefined>): Promise<Answer> => get('/digits.txt', { headers: asked })

    for (const tag of [headers.etag, '*', `"other", ${headers.etag}`, headers.etag?.slice(2)]) {
      const answer = await conditional({ 'If-None-Match': tag })
      assert.deepEqual([answer.status, answer.body, answer.headers.etag, answer.headers['cache-control']], [304, '', headers.etag, 'no-cache'])
    }
    assert.equal((await conditional({ 'If-Modified-Since': headers['last-modified'] })).status, 304)
    assert.equal((await conditional({ 'If-None-Match': '"other"', 'If-Modified-Since': headers['last-modified'] })).status, 200)
    assert.equal((await conditional({ 'If-Modified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT' })).status, 200)
    assert.equal((await conditional({ 'If-Modified-Since': 'never' })).status, 200)
  })

  test('follow what changes on the disk', async (t) => {
    let folder = ''
    const get = await start(t, (path) => {
      folder = path
    })
    assert.equal((await get('/new.txt')).body, 'handler GET')

    writeFileSync(join(folder, 'new.txt'), 'now it is here')

    assert.equal((await get('/new.txt')).body, 'now it is here')
  })

  test('are none whose name begins with a dot, but for /.well-known/', async (t) => {
    const get = await start(t)

    for (const path of ['/.hidden', '/%2ehidden', '/.git/config', '/sub/.env', '/sub/%2Eenv']) assert.equal((await get(path)).body, 'handler GET', path)
    assert.equal((await get('/.well-known/security.txt')).body, 'Contact: us')
  })

  test('are in the folder: nothing leads out of it', async (t) => {
    const get = await start(t)
    const ways = [
      '/../outside.txt',
      '/..%2foutside.txt',
      '/%2e%2e/outside.txt',
      '/%2e%2e%2foutside.txt',
      '/sub/../../outside.txt',
      '/..\\outside.txt',
      '/..%5coutside.txt',
    ]

    for (const path of [...ways, '/../public-secret/file.txt', '/%00', '/digits.txt%00.html', '//etc/passwd', '/./../outside.txt']) {
      const answer = await get(path)
      assert.doesNotMatch(answer.body, /secret|root:/, path)
      assert.equal(answer.status, 200, path)
    }
  })

  test('behind a link are served when the link stays in the folder', async (t) => {
    const get = await start(t, (folder) => {
      symlinkSync('digits.txt', join(folder, 'inside.txt'))
      symlinkSync(join(folder, '..', 'outside.txt'), join(folder, 'out.txt'))
      symlinkSync(join(folder, '..', 'public-secret'), join(folder, 'out'))
      mkdirSync(join(folder, 'linked'))
      symlinkSync(join(folder, '..', 'outside.txt'), join(folder, 'linked', 'index.html'))
      symlinkSync('nowhere', join(folder, 'dangling.txt'))
    })

    assert.equal((await get('/inside.txt')).body, '0123456789')
    for (const path of ['/out.txt', '/out/file.txt', '/linked/', '/dangling.txt']) assert.equal((await get(path)).body, 'handler GET', path)
  })

  test('do not stay open when a client goes in the middle, nor for HEAD', async (t) => {
    const dir = folderOf(t, FILES)
    writeFileSync(join(dir, 'public', 'large.bin'), Buffer.alloc(20_000_000))
    const daemon = await serveFolder(t, dir, { handler: './app.mjs', static: './public' })
    const client = net.connect(portOf(daemon), '127.0.0.1')
    client.write('GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n')
    await once(client, 'readable')
    assert.equal(numOpen('large.bin'), 1)

    client.destroy()
    await ask(portOf(daemon), { method: 'HEAD', path: '/large.bin' })

    await until(() => numOpen('large.bin') === 0)
  })

  test('have the length that was said, also one that grows meanwhile', async (t) => {
    const { body, size } = await changedMidway(t, (file) => appendFileSync(file, 'x'.repeat(100_000)))

    const next = body.subarray(size).toString('latin1')
    assert.ok(next.startsWith('HTTP/1.1 200 OK\r\n') && next.endsWith('0123456789'), next.slice(0, 200))
  })

  test('break off when one has become shorter: what comes next is not taken for its end', async (t) => {
    const { body, size } = await changedMidway(t, (file) => truncateSync(file, 1_000_000))

    assert.ok(body.length < size)
    assert.equal(body.indexOf('0123456789'), -1)
  })
})

/** The descriptors of this process, where the daemon is, that are of this file. */
function numOpen(name: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).endsWith(name)
    } catch {
      return false
    }
  }).length
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5))
}
