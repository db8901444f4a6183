import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { describe, test } from 'node:test'

const MODULE = new URL('../../src/log/log.ts', import.meta.url).href

/** A program that logs. `log` is at level debug. */
function program(code: string, options: { readonly format?: string; readonly role?: string; readonly fields?: object } = {}): string[] {
  const given = { level: 'debug', format: 'json', name: 'example', role: 'worker 3', ...options }
  return [
    '--input-type=module',
    '-e',
    `const { createLog, droppedLogLines } = await import(${JSON.stringify(MODULE)})\nconst log = createLog(${JSON.stringify(given)})\n${code}`,
  ]
}

function linesOf(code: string, options: Parameters<typeof program>[1] = {}): string[] {
  const { stdout, stderr, status } = spawnSync(process.execPath, program(code, options), { encoding: 'utf8', timeout: 20_000 })
  assert.equal(status, 0, stderr)
  return stdout.split('\n').slice(0, -1)
}

function jsonOf(code: string, options: Parameters<typeof program>[1] = {}): Record<string, unknown>[] {
  return linesOf(code, options).map((line) => JSON.parse(line))
}

describe('createLog', () => {
  test('a line has level as a word, ISO time, pid, name, the slot of a worker, fields and message', () => {
    const [line = {}] = jsonOf(`log.info({ fd: 7 }, 'Said hello')`)

    assert.match(String(line['time']), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    assert.equal(typeof line['pid'], 'number')
    assert.deepEqual({ ...line, time: '', pid: 0 }, { level: 'info', time: '', pid: 0, name: 'example', worker: 3, fd: 7, msg: 'Said hello' })
  })

  test('the master has its role, and every line the fields given', () => {
    const [line = {}] = jsonOf(`log.child({ port: 'web' }).warn('x')`, { role: 'master', fields: { node: 'a' } })

    assert.deepEqual([line['role'], line['worker'], line['node'], line['port'], line['level']], ['master', undefined, 'a', 'web', 'warn'])
  })

  test('an error is logged as err with its stack, and lines under the level are not written', () => {
    const lines = jsonOf(`log.error({ err: new TypeError('boom') }, 'Handler failed'); log.error(new Error('bare')); log.trace('no')`)

    assert.equal(lines.length, 2)
    const [first, second] = lines.map((line) => Object(line['err']))
    assert.deepEqual([first.type, first.message, lines[0]?.['msg']], ['TypeError', 'boom', 'Handler failed'])
    assert.match(first.stack, /^TypeError: boom\n {4}at /)
    assert.deepEqual([second.message, lines[1]?.['msg']], ['bare', 'bare'])
  })

  test('bytes, errors, URLs and objects with private members are data in a line, at any depth, and nothing throws', () => {
    const values = `{ bytes: Buffer.from('hi'), url: new URL('http://a/'), at: new Date(0), own: new Own(), error: Object.assign(new TypeError('x'), { body: Buffer.from('no') }) }`
    const [first = {}, second = {}, third = {}, fourth = {}, ...others] = jsonOf(`
      class Own { #x = 1; get x() { return this.#x } toJSON() { return { x: this.x } } }
      class Bad { get a() { return 1 } toJSON() { throw new Error('never') } }
      log.info(${values})
      log.info({ a: [${values}] })
      log.info({ err: Object.assign(new Error('failed'), { data: Buffer.from('hi'), request: { url: new URL('http://a/') } }) })
      log.child(${values}).info('child')
      log.info({ bad: new Bad(), throws: Object.defineProperty({}, 'a', { enumerable: true, get() { throw new Error('no') } }) })
      const cycle = { bytes: Buffer.from('hi') }
      cycle.cycle = cycle
      log.info({ cycle, many: 10n }, 'cycle')
      log.info(Buffer.from('hi'))
      log.info(new Own(), 'own')`)
    const found = ({ bytes, url, at, own, error }: Record<string, unknown>): unknown => [bytes, url, at, own, Object(error).type, Object(error).body]
    const expected = ['<Buffer 68 69>', 'http://a/', '1970-01-01T00:00:00.000Z', { x: 1 }, 'TypeError', '<Buffer 6e 6f>']

    assert.deepEqual(found(first), expected)
    assert.deepEqual(found(Object(second['a'])[0]), expected)
    assert.deepEqual([Object(third['err']).type, Object(third['err']).data, Object(third['err']).request], ['Error', '<Buffer 68 69>', { url: 'http://a/' }])
    assert.deepEqual(found(fourth), expected)
    assert.deepEqual(
      others.map(({ bad, value, x, msg }) => bad ?? value ?? x ?? msg),
      ['Bad {}', 'cycle', '<Buffer 68 69>', 1],
    )
  })

  test('a request, a response and a socket of Node are a few members, and none of their secrets', () => {
    const text = linesOf(`
      const http = await import('node:http')
      const server = http.createServer((request, response) => {
        response.setHeader('set-cookie', 'S3CRET')
        log.info({ request, response, socket: request.socket })
        log.info({ a: { request } })
        log.info(request)
        response.end()
        server.close()
      })
      const headers = { cookie: 'S3CRET', authorization: 'S3CRET' }
      server.listen(0, '127.0.0.1', () => http.get({ port: server.address().port, path: '/path', headers, agent: false }, (response) => response.resume()))`)
    const [{ request, response, socket } = {}, second, third] = text.map((line) => JSON.parse(line) as Record<string, unknown>)

    assert.deepEqual([Object(request).method, Object(request).url, 'headers' in Object(response)], ['GET', '/path', true])
    assert.deepEqual(Object.keys(Object(socket)), ['remoteAddress', 'remotePort'])
    assert.equal(Object(second?.['a']).request.url, '/path')
    assert.equal(Object(third?.['req']).url, '/path')
    assert.doesNotMatch(text.join('\n'), /S3CRET/)
    assert.ok(text.every((line) => line.length < 2000))
  })

  test('secrets are redacted at the top, in objects and in child loggers', () => {
    const secrets = `{ authorization: 'S3CRET', cookie: 'S3CRET', token: 'S3CRET', 'set-cookie': 'S3CRET' }`
    const text = linesOf(
      `log.info(${secrets}, 'a'); log.info({ headers: ${secrets} }, 'b'); log.info({ request: { headers: ${secrets} } }, 'c'); log.child(${secrets}).info('d')`,
    )

    assert.equal(text.length, 4)
    for (const line of text) {
      assert.doesNotMatch(line, /S3CRET/)
      assert.equal(line.match(/\[redacted\]/g)?.length, 4)
    }
  })

  for (const format of ['json', 'pretty']) {
    test(`${format}: what a client sent cannot start a line or move the cursor`, () => {
      const text = linesOf(String.raw`log.info({ path: '/\n\u001b[2J\u009b' }, 'a\r\nb\u001b[31m\u007f')`, { format })

      assert.equal(text.length, 1)
      assert.match(String(text[0]), /^[\x20-\x7e]+$/)
    })
  }

  test('pretty is one line of text for each thing, with time, level, who and what', () => {
    const text = linesOf(`log.info({ fd: 7 }, 'Said hello')`, { format: 'pretty' })

    assert.match(text.join('\n'), /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: worker 3: Said hello \{"fd":7\}$/)
  })

  test('auto is JSON where stdout is no terminal', () => {
    assert.equal(jsonOf(`log.info('x')`, { format: 'auto' })[0]?.['msg'], 'x')
  })

  test('the line before process.exit is not lost', () => {
    assert.equal(jsonOf(`log.fatal('last'); process.exit(0)`).at(-1)?.['msg'], 'last')
  })

  test('a full disk does not end the process; lost lines are counted', () => {
    const full = openSync('/dev/full', 'w')

    const { stderr, status } = spawnSync(process.execPath, program(`log.info('a'); log.info('b'); console.error(droppedLogLines())`), {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
      timeout: 20_000,
    })

    assert.deepEqual([stderr, status], ['2\n', 0])
  })

  test('a reader that goes away does not end the process', { timeout: 20_000 }, async () => {
    const child = spawn(
      process.execPath,
      program(`log.info('a'); process.stdin.once('data', () => { log.info('b'); log.info('c'); console.error(droppedLogLines()); process.exit(0) })`),
      { stdio: 'pipe' },
    )
    let stderr = ''
    child.stderr.on('data', (chunk) => (stderr += chunk))
    await once(child.stdout, 'data')
    child.stdout.destroy()
    await once(child.stdout, 'close')
    child.stdin.end('go')

    const [status] = await once(child, 'close')

    assert.deepEqual([stderr, status], ['2\n', 0])
  })
})
