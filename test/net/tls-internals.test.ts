import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import tls, { type TLSSocket } from 'node:tls'
import { acceptOn, bindStream, boundPort, type StreamHandle, setPeer, socketFromHandle, underlying } from '../../src/net/node-internals.ts'
import { authority, serverCertificate } from '../tls-daemon.ts'

/*
 * What Polyport relies on of TLS and Node does not document:
 * - tlsSocket._parent: the socket that it was put on
 * - a TLS socket takes what its socket has in its buffer as the first that was received
 * - tlsSocket._peername, which remoteAddress is taken from
 * That tls.Server takes sockets by emit('connection', socket) is documented.
 */

/** A TLS server on a handle, and a plain client of it. */
async function accepted(t: TestContext): Promise<{ server: tls.Server; handle: StreamHandle; port: number; client: net.Socket }> {
  const listening = bindStream({ host: '127.0.0.1', port: 0 })
  assert.ok(typeof listening !== 'number')
  const handle = new Promise<StreamHandle>((resolve) => acceptOn(listening, resolve, () => assert.fail('accept(2) fails')))
  const port = boundPort(listening)
  const client = net.connect(port, '127.0.0.1')
  t.after(() => {
    client.destroy()
    listening.close()
  })
  return { server: tls.createServer({ cert: serverCertificate.cert, key: serverCertificate.key }), handle: await handle, port, client }
}

test('underlying() is the socket that was given to the server', async (t) => {
  const { server, handle, client } = await accepted(t)
  const raw = socketFromHandle(handle)
  const secured = once(server, 'secureConnection') as Promise<[TLSSocket]>
  server.emit('connection', raw)
  tls.connect({ socket: client, ca: authority.cert, servername: 'localhost' })

  const [socket] = await secured
  assert.equal(underlying(socket), raw)
  setPeer(socket, { address: '203.0.113.9', port: 4711 })
  assert.deepEqual([socket.remoteAddress, socket.remotePort], ['203.0.113.9', 4711])
  socket.destroy()
})

test('what was read before the handshake, and unshifted, is its beginning', async (t) => {
  const { server, handle, client } = await accepted(t)
  const hello = new Promise<Buffer>((resolve) => {
    const raw = socketFromHandle(handle)
    raw.once('data', (chunk: Buffer) => {
      raw.pause()
      resolve(chunk)
      raw.unshift(chunk)
      setImmediate(() => server.emit('connection', raw))
    })
  })
  const secured = once(server, 'secureConnection') as Promise<[TLSSocket]>
  const talk = tls.connect({ socket: client, ca: authority.cert, servername: 'localhost' })

  assert.equal((await hello)[0], 0x16)
  const [socket] = await secured
  socket.write('hello')
  assert.equal(String((await once(talk, 'data'))[0]), 'hello')
  socket.destroy()
})

test('underlying() is still known when the handshake has failed', async (t) => {
  const { server, handle, client } = await accepted(t)
  const raw = socketFromHandle(handle)
  const failed = once(server, 'tlsClientError') as Promise<[Error, TLSSocket]>
  server.emit('connection', raw)
  client.write('GET / HTTP/1.1\r\n\r\n')

  const [, socket] = await failed
  assert.equal(underlying(socket), raw)
  socket.destroy()
})
