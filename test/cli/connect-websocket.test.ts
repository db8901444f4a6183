import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { type WebSocket, WebSocketServer } from 'ws'
import { CERTIFICATE_FILE, certificate } from './certificate.ts'
import { launch, run } from './run-cli.ts'

async function serve(t: TestContext, onSocket: (socket: WebSocket) => void, server: http.Server | https.Server = http.createServer()): Promise<string> {
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) => {
    socket.on('error', () => {})
    t.after(() => socket.terminate())
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `${server instanceof https.Server ? 'wss' : 'ws'}://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const echo = (socket: WebSocket): void => void socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
const LONG_WAIT = ['--wait', '60']

describe('polyport connect ws: and wss:', { concurrency: 2 }, () => {
  test('each line is a text message, each answer a line', async (t) => {
    const kinds: boolean[] = []
    const url = await serve(t, (socket) => {
      socket.on('message', (data, isBinary) => {
        kinds.push(isBinary)
        socket.send(`got ${data}`)
      })
    })

    const { code, stdout, stderr } = await run(t, ['connect', url, '--wait', '1.5'], { input: 'hi\nthere' })

    assert.deepEqual(kinds, [false, false])
    assert.equal(stdout, 'got hi\ngot there\n')
    assert.equal(stderr, '')
    assert.equal(code, 0)
  })

  test('closes with code 1000 after the silence', async (t) => {
    const closed = Promise.withResolvers<number>()
    const url = await serve(t, (socket) => socket.on('close', (code) => closed.resolve(code)))

    await run(t, ['connect', url, '--wait', '0.1'])

    assert.equal(await closed.promise, 1000)
  })

  test('a large message has left before the close', async (t) => {
    const received = Promise.withResolvers<number>()
    const url = await serve(t, (socket) => socket.on('message', (data: Buffer) => received.resolve(data.length)))

    await run(t, ['connect', url, '--wait', '0'], { input: 'x'.repeat(8 * 1024 * 1024) })

    assert.equal(await received.promise, 8 * 1024 * 1024)
  })

  test('a binary message is written raw where no person looks', async (t) => {
    const url = await serve(t, (socket) => {
      socket.send(Buffer.from([1, 2, 255]))
      socket.close(1000)
    })
    const { child } = launch(t, ['connect', url, ...LONG_WAIT])

    const [chunk] = (await once(child.stdout, 'data')) as [Buffer]

    assert.deepEqual(chunk, Buffer.from([1, 2, 255]))
  })

  test('ends when the peer closes in good order, although stdin stays open', async (t) => {
    const url = await serve(t, (socket) => {
      socket.send('bye')
      socket.close(1000)
    })

    assert.deepEqual(await launch(t, ['connect', url, ...LONG_WAIT]).ended, { code: 0, stdout: 'bye\n', stderr: '' })
  })

  test('a close with a code of its own is a sentence and exit code 1', async (t) => {
    const url = await serve(t, (socket) => socket.close(1008, 'not today'))

    const { code, stderr } = await launch(t, ['connect', url, ...LONG_WAIT]).ended

    assert.equal(code, 1)
    assert.equal(stderr, `The talk with ${url} has broken off: the peer closed with code 1008: not today\n`)
  })

  test('a peer that goes without a close is a sentence and exit code 1', async (t) => {
    const url = await serve(t, (socket) => socket.terminate())

    const { code, stderr } = await launch(t, ['connect', url, ...LONG_WAIT]).ended

    assert.equal(code, 1)
    assert.equal(stderr, `The talk with ${url} has broken off: the connection was lost\n`)
  })

  test('a server that is no WebSocket server is a sentence and exit code 1', async (t) => {
    const server = http.createServer((_, response) => response.writeHead(404).end())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`

    const { code, stderr } = await run(t, ['connect', url])

    assert.equal(code, 1)
    assert.match(stderr, /: the server answers with status 404, not with a WebSocket\n$/)
  })

  test('nothing there is a sentence and exit code 1', async (t) => {
    const server = http.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')

    const { code, stderr } = await run(t, ['connect', `ws://127.0.0.1:${port}/`])

    assert.equal(code, 1)
    assert.equal(stderr, `Cannot connect to ws://127.0.0.1:${port}/: nothing listens there (ECONNREFUSED)\n`)
  })

  test('wss: with a certificate that is trusted, and one that is not', async (t) => {
    const url = await serve(t, echo, https.createServer(certificate()))

    const trusted = await run(t, ['connect', url, '--wait', '1.5'], { input: 'hi\n', env: { NODE_EXTRA_CA_CERTS: CERTIFICATE_FILE } })
    const untrusted = await run(t, ['connect', url], { input: 'hi\n' })

    assert.equal(trusted.stdout, 'hi\n')
    assert.equal(untrusted.code, 1)
    assert.match(untrusted.stderr, /^Cannot connect to wss:.*certificate/)
  })
})
