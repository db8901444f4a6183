import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { Client, DaemonProcess } from '../daemon-process.ts'
import { eventually } from './process-figures.ts'
import { event, events, RECORDER_FILES, unbalanced } from './recorder.ts'

const MIB = 1024 * 1024
// The handler's options by the end of the port's name.
const VARIANTS: Record<string, object> = {
  '': {},
  '-slow-close': { closeMs: 50 },
  '-fail-open': { failIn: 'open' },
  '-fail-open-later': { failIn: 'open later' },
  '-fail-close': { failIn: 'close' },
}
const PORTS = Object.entries(VARIANTS).flatMap(([variant, options]) => [
  { name: `tcp${variant}`, protocol: 'tcp', port: 0, handler: './tcp.js', framing: { type: 'eof', maxLength: 1000 }, limits: { sendBuffer: MIB }, options },
  { name: `ws${variant}`, protocol: 'websocket', port: 0, handler: './ws.js', limits: { sendBuffer: MIB, maxPayload: 1000 }, options },
])

interface Case<Peer> {
  readonly end: string
  readonly reason: string
  readonly port?: string
  readonly act: (peer: Peer) => void
}

const TCP_ENDS: readonly Case<Client>[] = [
  { end: 'the client closes', reason: 'client', act: ({ socket }) => socket.end() },
  { end: 'the client closes behind a message', reason: 'client', act: ({ socket }) => socket.end('hello\r\nand no end') },
  { end: 'the client closes while the handler waits', reason: 'client', act: ({ socket }) => socket.end('wait 50\r\nwait 50\r\n') },
  { end: 'the client resets', reason: 'client', act: ({ socket }) => socket.resetAndDestroy() },
  {
    end: 'the client resets while the handler waits',
    reason: 'client',
    act: ({ socket }) => socket.write('wait 50\r\nwait 50\r\n', () => socket.resetAndDestroy()),
  },
  { end: 'the handler closes', reason: 'server', act: (client) => client.write('close\r\n') },
  { end: 'the handler closes twice', reason: 'server', act: (client) => client.write('last\r\nclose\r\n') },
  { end: 'the handler destroys', reason: 'server', act: (client) => client.write('destroy\r\n') },
  { end: 'the send buffer overflows', reason: 'overflow', act: (client) => client.write('fill 16\r\n') },
  { end: 'a frame is too long', reason: 'frame_too_long', act: (client) => client.write('x'.repeat(2000)) },
  { end: 'a handler that fails stays open until the client closes', reason: 'client', act: ({ socket }) => socket.end('throw\r\nreject\r\n') },
  { end: 'onClose takes time', port: 'tcp-slow-close', reason: 'client', act: ({ socket }) => socket.end() },
  { end: 'onClose fails', port: 'tcp-fail-close', reason: 'client', act: ({ socket }) => socket.end() },
  { end: 'onConnect has failed', port: 'tcp-fail-open', reason: 'client', act: ({ socket }) => socket.end('hello\r\n') },
  { end: 'onConnect fails later', port: 'tcp-fail-open-later', reason: 'client', act: ({ socket }) => socket.end('hello\r\n') },
]

const WEBSOCKET_ENDS: readonly Case<WebSocket>[] = [
  { end: 'the client closes', reason: 'client', act: (socket) => socket.close(1000) },
  { end: 'the client closes while the handler waits', reason: 'client', act: closeBehind('wait 50', 'wait 50') },
  { end: 'the client leaves without a close frame', reason: 'client', act: (socket) => rawOf(socket).end() },
  { end: 'the client resets', reason: 'client', act: (socket) => rawOf(socket).resetAndDestroy() },
  { end: 'the handler closes', reason: 'server', act: (socket) => socket.send('close') },
  { end: 'the handler closes twice', reason: 'server', act: sendAll('last', 'close') },
  { end: 'the handler destroys', reason: 'server', act: (socket) => socket.send('destroy') },
  { end: 'the send buffer overflows', reason: 'overflow', act: (socket) => socket.send('fill 16') },
  { end: 'a message is too long', reason: 'frame_too_long', act: (socket) => socket.send('x'.repeat(2000)) },
  { end: 'a frame breaks the protocol', reason: 'error', act: (socket) => rawOf(socket).write(Buffer.from([0xff, 0xff])) },
  { end: 'the handler throws', reason: 'error', act: (socket) => socket.send('throw') },
  { end: 'the handler rejects', reason: 'error', act: (socket) => socket.send('reject') },
  { end: 'onClose takes time', port: 'ws-slow-close', reason: 'client', act: (socket) => socket.close() },
  { end: 'onClose fails', port: 'ws-fail-close', reason: 'client', act: (socket) => socket.close() },
  { end: 'onOpen fails', port: 'ws-fail-open', reason: 'error', act: () => {} },
  { end: 'onOpen fails later', port: 'ws-fail-open-later', reason: 'error', act: () => {} },
]

function sendAll(...messages: string[]): (socket: WebSocket) => void {
  return (socket) => messages.forEach((message) => void socket.send(message))
}

function closeBehind(...messages: string[]): (socket: WebSocket) => void {
  return (socket) => {
    sendAll(...messages)(socket)
    socket.close()
  }
}

/** The socket below, to do what the protocol does not foresee. */
function rawOf(socket: WebSocket): Socket {
  return (socket as unknown as { _socket: Socket })._socket
}

async function openWebSocket(daemon: DaemonProcess, port: string): Promise<{ socket: WebSocket; fd: number }> {
  const { host, port: number } = await daemon.address(port)
  const socket = new WebSocket(`ws://${host}:${number}`)
  socket.on('error', () => {})
  const [first] = await once(socket, 'message')
  return { socket, fd: Number(first) }
}

async function openTcp(daemon: DaemonProcess, port: string): Promise<{ client: Client; fd: number }> {
  const client = await Client.open(await daemon.address(port))
  return { client, fd: Number(await client.until('\r\n')) }
}

test('onClose comes once for every connection, with its reason, and send then returns false', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: PORTS }, { files: RECORDER_FILES })
  for (const { end, port = 'tcp', reason, act } of TCP_ENDS) {
    await t.test(`tcp: ${end}`, async () => {
      const { client, fd } = await openTcp(daemon, port)
      act(client)
      assert.deepEqual(await event(daemon, 'close', fd), [reason, 'false'])
      client.socket.destroy()
    })
  }
  for (const { end, port = 'ws', reason, act } of WEBSOCKET_ENDS) {
    await t.test(`websocket: ${end}`, async () => {
      const { socket, fd } = await openWebSocket(daemon, port)
      act(socket)
      assert.deepEqual(await event(daemon, 'close', fd), [reason, 'false'])
      socket.terminate()
    })
  }
  assert.equal(await daemon.stop(), 0)
  assert.equal(events(daemon).filter((line) => line.startsWith('open ')).length, TCP_ENDS.length + WEBSOCKET_ENDS.length)
  assert.deepEqual(unbalanced(events(daemon)), [])
})

test('a stop: every onClose has come, and has ended, before onStop', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: PORTS }, { files: RECORDER_FILES })
  const numTcp = 3
  for (const port of ['tcp', 'tcp-slow-close']) {
    for (let i = 0; i < numTcp; i++) {
      const { client } = await openTcp(daemon, port)
      // Three messages wait for the one before: the last ends 90 ms after the connection has closed.
      client.write('wait 30\r\n'.repeat(3 * i))
    }
  }
  for (const port of ['ws', 'ws-slow-close']) {
    const { socket } = await openWebSocket(daemon, port)
    socket.send('wait 50')
    socket.send('wait 50')
  }
  const { client: slow } = await openTcp(daemon, 'tcp')
  slow.socket.pause()
  await eventually('all messages are there', async () => /messages_received_total\{port="tcp-slow-close"\} 9/.test(await daemon.metrics()))

  assert.equal(await daemon.stop(), 0)

  const lines = events(daemon)
  const closes = lines.filter((line) => line.startsWith('close '))
  assert.deepEqual(unbalanced(lines), [])
  assert.equal(closes.length, 2 * numTcp + 3)
  for (const line of closes) assert.match(line, /^close \d+ shutdown false$/)
  const firstStop = lines.findIndex((line) => line.startsWith('stop '))
  assert.equal(lines.slice(firstStop).filter((line) => line.startsWith('close ')).length, 0, `a connection closed behind onStop:\n${lines.join('\n')}`)
})

test('a stop that has waited long enough: connections that are cut have their onClose too', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: [{ ...PORTS[0], limits: { sendBuffer: 64 * MIB } }], maxWaitSeconds: 0.2 }, { files: RECORDER_FILES })
  const { client, fd } = await openTcp(daemon, 'tcp')
  // Reads nothing, so that what waits to be sent cannot leave.
  client.socket.pause()
  client.write('fill 32\r\n')
  await event(daemon, 'filled', fd)

  assert.equal(await daemon.stop(), 0)
  assert.deepEqual(await event(daemon, 'close', fd), ['shutdown', 'false'])
})
