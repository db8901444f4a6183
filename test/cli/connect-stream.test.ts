import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { folder, launch, run } from './run-cli.ts'

// Longer than any test may take: what ends earlier has not waited for silence.
const LONG_WAIT = ['--wait', '60']

async function serve(t: TestContext, onSocket: (socket: net.Socket) => void, where: net.ListenOptions = { host: '127.0.0.1', port: 0 }): Promise<string> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    t.after(() => socket.destroy())
    socket.on('error', () => {})
    onSocket(socket)
  })
  server.listen(where)
  await once(server, 'listening')
  t.after(() => server.close())
  const address = server.address()
  assert.ok(address !== null)
  if (typeof address === 'string') return `unix:${address}`
  return `tcp://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`
}

describe('polyport connect tcp: and unix:', { concurrency: 2 }, () => {
  test('sends stdin, half-closes, prints all that comes and ends with the peer', async (t) => {
    const url = await serve(t, async (socket) => socket.end(`${await all(socket)}bye\n`))

    const { code, stdout, stderr } = await run(t, ['connect', url, ...LONG_WAIT], { input: 'hi\nthere\r\nlast' })

    assert.equal(stdout, 'hi\r\nthere\r\nlast\r\nbye\n')
    assert.equal(stderr, '')
    assert.equal(code, 0)
  })

  test('a wait that is longer than a timer can be is only long', async (t) => {
    const url = await serve(t, async (socket) => socket.end(await all(socket)))

    assert.deepEqual(await run(t, ['connect', url, '--wait', '1e10'], { input: 'hi\n' }), { code: 0, stdout: 'hi\r\n', stderr: '' })
  })

  test('ends after a silence when the peer does not', async (t) => {
    const url = await serve(t, (socket) => socket.on('data', (chunk) => socket.write(chunk)))

    const { code, stdout } = await run(t, ['connect', url, '--wait', '1.5'], { input: 'hi\n' })

    assert.equal(stdout, 'hi\r\n')
    assert.equal(code, 0)
  })

  test('what arrives puts the end of the silence off', async (t) => {
    const url = await serve(t, (socket) => {
      let left = 10
      const timer = setInterval(() => {
        socket.write('.')
        if (--left === 0) clearInterval(timer)
      }, 200)
      socket.on('close', () => clearInterval(timer))
    })

    const { stdout } = await run(t, ['connect', url, '--wait', '1.5'])

    assert.equal(stdout, '..........')
  })

  test('ends at once when the peer does, although stdin stays open', async (t) => {
    const url = await serve(t, (socket) => socket.end('full\r\n'))

    const { ended } = launch(t, ['connect', url, ...LONG_WAIT])

    assert.deepEqual(await ended, { code: 0, stdout: 'full\r\n', stderr: '' })
  })

  test('what arrives while stdin is open is printed at once', async (t) => {
    const url = await serve(t, (socket) => socket.on('data', (chunk) => socket.write(chunk)))
    const { child, ended } = launch(t, ['connect', url, ...LONG_WAIT])

    child.stdin.write('one\n')
    await once(child.stdout, 'data')
    child.kill('SIGINT')

    assert.equal((await ended).stdout, 'one\r\n')
  })

  test('--eof ends each line instead', async (t) => {
    const url = await serve(t, async (socket) => socket.end((await all(socket)).replaceAll('\0', '0')))

    assert.equal((await run(t, ['connect', url, '--eof', '\\0\\n'], { input: 'a\nb\n' })).stdout, 'a0\nb0\n')
  })

  test('an empty --eof sends the bytes as they are', async (t) => {
    const url = await serve(t, (socket) => socket.pipe(socket))
    const input = Buffer.from([0x00, 0x0a, 0xff, 0x0d, 0x0a, 0x80])
    const { child, ended } = launch(t, ['connect', url, '--eof', '', ...LONG_WAIT])
    const received: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => received.push(chunk))

    child.stdin.end(input)
    await ended

    assert.deepEqual(Buffer.concat(received), input)
  })

  test('a megabyte goes there and back', async (t) => {
    const url = await serve(t, (socket) => socket.pipe(socket))
    const line = 'x'.repeat(1024 * 1024)

    const { stdout } = await run(t, ['connect', url, '--eof', '\\n', ...LONG_WAIT], { input: `${line}\n` })

    assert.ok(stdout === `${line}\n`)
  })

  test('a reader of stdout that goes away is a quiet end', async (t) => {
    const url = await serve(t, (socket) => {
      const timer = setInterval(() => socket.write('more\n'), 5)
      socket.on('close', () => clearInterval(timer))
    })
    const { child, ended } = launch(t, ['connect', url])

    await once(child.stdout, 'data')
    child.stdout.destroy()

    const { code, stderr } = await ended
    assert.equal(stderr, '')
    assert.equal(code, 0)
  })

  test('a unix socket, named with and without slashes', async (t) => {
    const path = join(folder(t), 's')
    await serve(t, (socket) => socket.pipe(socket), { path })

    for (const url of [`unix:${path}`, `unix://${path}`]) assert.equal((await run(t, ['connect', url], { input: 'hi\n' })).stdout, 'hi\r\n')
  })

  test('IPv6', async (t) => {
    const url = await serve(t, (socket) => socket.pipe(socket), { host: '::1', port: 0 })

    assert.match(url, /^tcp:\/\/\[::1\]:/)
    assert.equal((await run(t, ['connect', url], { input: 'hi\n' })).stdout, 'hi\r\n')
  })

  test('nothing there is a sentence and exit code 1', async (t) => {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    server.close()
    await once(server, 'close')

    assert.deepEqual(await run(t, ['connect', `tcp://localhost:${port}`]), {
      code: 1,
      stdout: '',
      stderr: `Cannot connect to tcp://localhost:${port}: nothing listens there (ECONNREFUSED)\n`,
    })
    assert.match((await run(t, ['connect', `unix:${join(folder(t), 'none')}`])).stderr, /: there is no such socket \(ENOENT\)\n$/)
  })

  test('a peer that resets the connection is a sentence and exit code 1', async (t) => {
    const url = await serve(t, (socket) => socket.once('data', () => socket.resetAndDestroy()))
    const { child, ended } = launch(t, ['connect', url])

    child.stdin.write('hi\n')

    assert.deepEqual(await ended, { code: 1, stdout: '', stderr: `The talk with ${url} has broken off: the peer has broken off (ECONNRESET)\n` })
  })
})

/** All that the peer sends before its FIN. */
async function all(socket: net.Socket): Promise<string> {
  let received = ''
  socket.setEncoding('latin1').on('data', (chunk) => (received += chunk))
  await once(socket, 'end')
  return received
}
