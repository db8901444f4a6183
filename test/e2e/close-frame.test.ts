import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { Client, DaemonProcess } from '../daemon-process.ts'

const FILES = {
  'ws.js': `import { WebSocketHandler } from 'polyport'
export default class Door extends WebSocketHandler {
  onOpen(connection) { connection.send(connection.fd + ' in ' + this.daemon.worker.slot) }
  onMessage(connection, text) {
    const { last, ...frame } = JSON.parse(text)
    try { connection.close(last, frame) } catch (error) { connection.send(error.name + ': ' + error.message) }
  }
}`,
  'tcp.js': `import { TcpHandler } from 'polyport'
export default class Guard extends TcpHandler {
  onConnect(connection) { connection.send(String(this.daemon.worker.slot)) }
  onReceive(connection, fd) {
    const isThere = this.daemon.close(Number(fd), 'go', { code: 4002, reason: 'told by another' })
    connection.close(String(isThere), { code: 4003 })
  }
}`,
}
const CONFIG = {
  workers: 2,
  dispatch: 'round-robin',
  ports: [
    { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js' },
    { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js' },
  ],
}

interface Guest {
  readonly socket: WebSocket
  readonly messages: string[]
  /** Code and reason. */
  readonly closed: Promise<[number, string]>
}

async function enter(t: TestContext, daemon: DaemonProcess): Promise<Guest> {
  const { host, port } = await daemon.address('ws')
  const socket = new WebSocket(`ws://${host}:${port}`)
  t.after(() => socket.terminate())
  const messages: string[] = []
  socket.on('message', (data) => messages.push(String(data)))
  const closed = once(socket, 'close').then(([code, reason]): [number, string] => [code, String(reason)])
  await once(socket, 'message')
  return { socket, messages, closed }
}

test('close() tells a WebSocket client a code and a reason, behind what was sent', async (t) => {
  const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES })
  const guest = await enter(t, daemon)
  guest.socket.send(JSON.stringify({ last: 'bye', code: 4001, reason: 'not you' }))

  assert.deepEqual(await guest.closed, [4001, 'not you'])
  assert.equal(guest.messages.at(-1), 'bye')
})

test('close() refuses what no application may send, and the connection stays', async (t) => {
  const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES })
  const guest = await enter(t, daemon)
  for (const frame of [{ code: 1005 }, { code: 1006 }, { code: 2999 }, { code: 5000 }, { code: 3000.5 }, { reason: 'x'.repeat(124) }]) {
    guest.socket.send(JSON.stringify(frame))
    const [answer] = await once(guest.socket, 'message')
    assert.match(String(answer), /^RangeError: Cannot close with/)
  }
  guest.socket.send(JSON.stringify({ reason: 'ö'.repeat(61) }))

  assert.deepEqual(await guest.closed, [1000, 'ö'.repeat(61)])
})

test('daemon.close() does the same from another worker; on TCP there is nothing to tell', async (t) => {
  const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES })
  const guest = await enter(t, daemon)
  const [fd = '', slot] = (guest.messages[0] ?? '').split(' in ')
  let client = await Client.open(await daemon.address('tcp'))
  // Each connection in turn goes to the other worker.
  while ((await client.until('\r\n')) === `${slot}\r\n`) client = await Client.open(await daemon.address('tcp'))
  client.write(`${fd}\r\n`)

  assert.deepEqual(await guest.closed, [4002, 'told by another'])
  assert.equal(guest.messages.at(-1), 'go')
  await client.closed
  assert.match(client.text, /true\r\n$/)
})
