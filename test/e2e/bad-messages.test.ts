import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { Client, DaemonProcess } from '../daemon-process.ts'

// What JavaScript lets through, and TypeScript would not. Each line that comes in names one of them.
const VALUES = `
const VALUES = { nothing: undefined, null: null, number: 5, object: { a: 1 }, list: [1, 2], buffer: new ArrayBuffer(64), wide: new Uint16Array(64) }
const WAYS = {
  send: ({ connection }, value) => connection.send(value),
  close: ({ connection }, value) => value === undefined ? connection.send(value) : connection.close(value),
  sendByNumber: ({ daemon, connection }, value) => daemon.send(connection.fd, value),
  sendToUser: ({ daemon }, value) => daemon.sendToUser('ann', value),
  publish: ({ daemon }, value) => daemon.publish('all', value),
  broadcast: ({ daemon }, value) => daemon.broadcast(value),
  sendTo: ({ daemon }, value) => daemon.sendTo('udp', { address: '127.0.0.1', port: 1 }, value),
}
function mistakes(context) {
  const wrong = []
  for (const [name, value] of Object.entries(VALUES)) {
    for (const [way, send] of Object.entries(WAYS)) {
      try {
        send(context, value)
        wrong.push(way + ' of ' + name)
      } catch (error) {
        if (!(error instanceof TypeError) || !error.message.startsWith('Cannot send ')) wrong.push(way + ' of ' + name + ': ' + error)
      }
    }
  }
  return wrong.join() || 'all refused'
}
`
const FILES = {
  'tcp.js': `import { TcpHandler } from 'polyport'
${VALUES}
export default class Tcp extends TcpHandler {
  onConnect(connection) { connection.join('all'); connection.bind('ann') }
  onReceive(connection) { connection.send(mistakes({ connection, daemon: this.daemon })) }
}`,
  'ws.js': `import { WebSocketHandler } from 'polyport'
${VALUES}
export default class Ws extends WebSocketHandler {
  onMessage(connection) { connection.send(mistakes({ connection, daemon: this.daemon })) }
}`,
  'udp.js': `import { UdpHandler } from 'polyport'
export default class Udp extends UdpHandler {
  onPacket(packet, peer) {
    try { peer.send({}) } catch (error) { peer.send(error.message) }
  }
}`,
}

test('what is neither text nor bytes is refused by all that sends, and nothing of it leaves', async (t) => {
  const ports = [
    { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js' },
    { name: 'length', protocol: 'tcp', port: 0, handler: './tcp.js', framing: { type: 'length', field: 'u8' } },
    { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js', compression: true },
    { name: 'udp', protocol: 'udp', port: 0, handler: './udp.js' },
  ] as const
  const daemon = await DaemonProcess.start(t, { ports }, { files: FILES })

  const tcp = await Client.open(await daemon.address('tcp'))
  tcp.write('x\r\n')
  assert.equal(await tcp.until('\r\n'), 'all refused\r\n')
  tcp.socket.destroy()

  const length = await Client.open(await daemon.address('length'))
  length.write('\x01x')
  assert.equal(await length.until(12), '\x0ball refused')
  length.socket.destroy()

  const { host, port } = await daemon.address('ws')
  const socket = new WebSocket(`ws://${host}:${port}/`)
  await once(socket, 'open')
  socket.send('x')
  assert.equal(String((await once(socket, 'message'))[0]), 'all refused')
  socket.terminate()

  const client = dgram.createSocket('udp4')
  t.after(() => client.close())
  const to = await daemon.address('udp')
  client.send('x', to.port, to.host)
  assert.match(String((await once(client, 'message'))[0]), /^Cannot send \{\}, expected text, or bytes/)
})

test('publish to what can be the name of no group reaches nobody, and fails with several workers no more than with one', async (t) => {
  const files = {
    'tcp.js': `import { TcpHandler } from 'polyport'
export default class Tcp extends TcpHandler {
  onReceive(connection) {
    for (const group of ['x'.repeat(70_000), '', '\\ud800']) this.daemon.publish(group, 'lost')
    connection.send('done')
  }
}`,
  }
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: [{ name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js' }] }, { files })
  const client = await Client.open(await daemon.address('tcp'))
  t.after(() => client.socket.destroy())

  client.write('x\r\nx\r\n')

  assert.equal(await client.until(12), 'done\r\ndone\r\n')
})
