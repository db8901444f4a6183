import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
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

const COUNTS = pathToFileURL(join(ROOT, 'dist', 'shared', 'connection-counts.js'))
// A worker that starts while there is the file cannot write what it takes over, as long as there is.
const MOVING = {
  'tcp.js': `import { existsSync } from 'node:fs'
import { TcpHandler } from 'polyport'
import { ConnectionCounts } from '${COUNTS}'
import { Registry } from '${REGISTRY}'
const FILE = new URL('full', import.meta.url)
for (const [prototype, name] of [[Registry.prototype, 'move'], [ConnectionCounts.prototype, 'takeOver']]) {
  const write = prototype[name]
  prototype[name] = function (...parts) {
    if (existsSync(FILE)) throw new Error('MDB_MAP_FULL')
    return write.apply(this, parts)
  }
}
export default class Line extends TcpHandler {
  onReceive(connection, message) {
    const [verb, name] = message.toString().split(' ')
    if (verb === 'bind') connection.bind(name)
    connection.send(verb === 'reach' ? 'reached ' + this.daemon.sendToUser(name, 'hello') : 'pid ' + process.pid)
  }
}`,
}

test('a hand-over where shared memory cannot be written disconnects nobody, and others reach who has moved once it can', async (t) => {
  const limits = { maxConnections: 3 }
  const config = { workers: 2, dispatch: 'round-robin', ports: [{ name: 'line', protocol: 'tcp', port: 0, handler: './tcp.js', limits }] }
  const daemon = await DaemonProcess.start(t, config, { files: MOVING })
  const where = await daemon.address('line')
  const [one, two] = [await Client.open(where), await Client.open(where)]
  const ask = async (client: Client, line: string): Promise<string> => {
    const before = client.received.length
    client.write(`${line}\r\n`)
    const pattern = /(pid|reached) (\d+)\r\n/
    while (!pattern.test(client.text.slice(before))) await client.until(client.received.length + 1)
    return pattern.exec(client.text.slice(before))?.[2] ?? ''
  }
  const old = [await ask(one, 'bind one'), await ask(two, 'bind two')]
  assert.notEqual(old[0], old[1])
  writeFileSync(join(daemon.dir, 'full'), '')

  assert.equal((await daemon.request('POST', '/api/reload')).status, 200)
  assert.ok(!old.includes(await ask(one, 'pid')) && !old.includes(await ask(two, 'pid')))
  await becomes(true, async () => (await daemon.status()).workers.every(({ pid }) => !old.includes(String(pid))))
  assert.equal(await ask(one, 'reach two'), '0')
  rmSync(join(daemon.dir, 'full'))

  await becomes('1', () => ask(one, 'reach two'))
  await two.until('hello\r\n')
  // The next hand-over goes over all sockets of the port.
  assert.equal((await daemon.request('POST', '/api/reload')).status, 200)
  await becomes('1', () => ask(two, 'reach one'))
  await becomes([2], async () => (await daemon.status()).ports.map(({ connections }) => connections))
  assert.match(await daemon.metrics(), /^polyport_worker_restarts_total\{worker="0"\} 0$/m)
  one.socket.destroy()
  two.socket.destroy()
})
