import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { test } from 'node:test'
import {
  acceptOn,
  bindStream,
  boundPort,
  type MeasuredResponse,
  measuredResponseClass,
  peerOf,
  receiveOn,
  type StreamHandle,
  socketFromHandle,
  stopReceiving,
} from '../../src/net/node-internals.ts'

/*
 * What Polyport relies on and Node does not document. When a new Node breaks one of these, it is here that it shows:
 * - net._createServerHandle(address, port, addressType): a bound TCP or pipe handle, or a negative errno
 * - handle.onconnection(status, client), handle.listen(backlog), handle.getsockname(out), handle.getpeername(out), handle.close()
 * - new net.Socket({ handle, onread }), with the socket as `this` of onread's callback, and pause()/resume()/read(0) on it
 * - the "state symbol" of a dgram.Socket and its handle.recvStop(); socket.bind(handle)
 * - ServerResponse#detachSocket, called once when a response has left; createServer({ ServerResponse })
 */

function bound(): StreamHandle {
  const handle = bindStream({ host: '127.0.0.1', port: 0 })
  assert.ok(typeof handle !== 'number')
  return handle
}

test('bindStream() gives a handle with a port, and an errno for one that is taken', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as net.AddressInfo
  const handle = bound()

  assert.ok(boundPort(handle) > 0)
  assert.equal(bindStream({ host: '127.0.0.1', port }), -98)
  assert.equal(bindStream({ host: '192.0.2.1', port: 0 }), -99)
  handle.close()
})

test('a bound handle does not listen until acceptOn(), and onread gets the bytes with the socket as this', async (t) => {
  const handle = bound()
  const port = boundPort(handle)
  const [error] = await once(net.connect(port, '127.0.0.1'), 'error')
  assert.equal((error as NodeJS.ErrnoException).code, 'ECONNREFUSED')
  const buffer = Buffer.alloc(1024)
  const reads: string[] = []
  const accepted = new Promise<net.Socket>((resolve) => {
    const onread = {
      buffer,
      callback(this: unknown, length: number): boolean {
        reads.push(buffer.toString('latin1', 0, length))
        ;(this as net.Socket).write(buffer.subarray(0, length))
        return true
      },
    }
    assert.equal(
      acceptOn(
        handle,
        (client) => {
          assert.deepEqual(peerOf(client).address, '127.0.0.1')
          resolve(socketFromHandle(client, onread as net.OnReadOpts))
        },
        (errno) => assert.fail(`accept failed: ${errno}`),
      ),
      0,
    )
  })
  const client = net.connect(port, '127.0.0.1')
  t.after(() => client.destroy())
  const socket = await accepted
  assert.equal(reads.length, 0)
  socket.read(0)
  client.write('one')
  assert.equal(String((await once(client, 'data'))[0]), 'one')
  socket.pause()
  client.write('two')
  socket.resume()
  assert.equal(String((await once(client, 'data'))[0]), 'two')
  client.end()
  await once(socket, 'end')
  socket.destroy()
  handle.close()
})

test('a socket that is listened on takes connections while no process accepts', async () => {
  const handle = bound()
  const accepted: StreamHandle[] = []
  acceptOn(
    handle,
    (client) => accepted.push(client),
    () => {},
  )
  const client = net.connect(boundPort(handle), '127.0.0.1')
  await once(client, 'connect')
  client.destroy()
  for (const other of accepted) other.close()
  handle.close()
})

test('a UDP socket can be held unread and be received on by another socket object', async (t) => {
  const holder = dgram.createSocket({ type: 'udp4', reusePort: true })
  await new Promise<void>((resolve) => holder.bind(0, '127.0.0.1', resolve))
  const handle = stopReceiving(holder)
  const { port } = holder.address()
  const client = dgram.createSocket('udp4')
  t.after(() => client.close())
  holder.on('message', () => assert.fail('the holder has read'))
  await new Promise<void>((resolve) => client.send('waiting', port, '127.0.0.1', () => resolve()))
  const receiver = await receiveOn(handle, { type: 'udp4' })
  const [packet] = await once(receiver, 'message')
  assert.equal(String(packet), 'waiting')
  receiver.close()
})

test('a measured response tells once when it has left', async (t) => {
  const left: number[] = []
  const observer = { responded: (response: MeasuredResponse) => void left.push(response.statusCode) }
  const server = http.createServer({ ServerResponse: measuredResponseClass() }, (_request, response) => {
    ;(response as unknown as MeasuredResponse).observer = observer
    response.statusCode = 204
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as net.AddressInfo
  for (let i = 0; i < 2; i++) {
    const [response] = (await once(http.get({ port, host: '127.0.0.1', agent: false }), 'response')) as [http.IncomingMessage]
    response.resume()
    await once(response, 'close')
  }
  assert.deepEqual(left, [204, 204])
})
