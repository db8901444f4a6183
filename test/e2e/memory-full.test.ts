import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { WebSocket } from 'ws'
import { ROOT } from '../cli/run-cli.ts'
import { Client, DaemonProcess } from '../daemon-process.ts'
import { becomes } from '../reliability/process-figures.ts'

const REGISTRY = pathToFileURL(join(ROOT, 'dist', 'shared', 'registry.js'))
const FILES = {
  'tcp.js': `import { TcpHandler } from 'polyport'
import { Registry } from '${REGISTRY}'
const { add, remove } = Registry.prototype
const full = () => { throw new Error('MDB_MAP_FULL') }
export default class Line extends TcpHandler {
  onConnect(connection) { connection.send('in') }
  onReceive(connection, message) {
    const isFull = message.toString() === 'full'
    Object.assign(Registry.prototype, isFull ? { add: full, remove: full } : { add, remove })
    connection.send('done')
  }
  onClose(connection) { this.log.info({ closed: connection.remotePort }, 'closed') }
}`,
  'ws.js': `import { WebSocketHandler } from 'polyport'
export default class Room extends WebSocketHandler {
  onOpen(connection) { connection.send('in') }
  onMessage() {}
  onClose(connection) { this.log.info({ closed: connection.remotePort }, 'closed') }
}`,
}
const CONFIG = {
  workers: 1,
  ports: [
    { name: 'line', protocol: 'tcp', port: 0, handler: './tcp.js' },
    { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js' },
  ],
}

test('shared memory that cannot be written refuses new connections, and ends neither the worker nor those that are there', async (t) => {
  const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES })
  const [line, ws] = [await daemon.address('line'), await daemon.address('ws')]
  const client = await Client.open(line)
  const leaver = await Client.open(line)
  await Promise.all([client.until('in\r\n'), leaver.until('in\r\n')])
  client.write('full\r\n')
  await client.until('done\r\n')

  const refused = await Client.open(line)
  if (!refused.socket.closed) await once(refused.socket, 'close')
  const webSocket = new WebSocket(`ws://${ws.host}:${ws.port}/`)
  webSocket.on('error', () => {})
  await once(webSocket, 'close')
  leaver.socket.end()
  await daemon.line(/"closed":\d+/)
  const before = client.received.length
  client.write('heal\r\n')
  await client.until(before + 'done\r\n'.length)
  const later = await Client.open(line)
  await later.until('in\r\n')

  assert.equal(refused.text, '')
  assert.equal(daemon.lines.filter((text) => text.includes('"closed":')).length, 1)
  await becomes([2, 0], async () => (await daemon.status()).ports.map(({ connections }) => connections))
  const metrics = await daemon.metrics()
  assert.match(metrics, /^polyport_connections_closed_total\{port="line",reason="error"\} 1$/m)
  assert.match(metrics, /^polyport_connections_closed_total\{port="ws",reason="error"\} 1$/m)
  assert.match(metrics, /^polyport_worker_restarts_total\{worker="0"\} 0$/m)
  client.socket.destroy()
  later.socket.destroy()
})
