import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { Client, DaemonProcess } from '../daemon-process.ts'
import { eventually } from '../reliability/process-figures.ts'
import { FILES, seriesOf } from './admission-handlers.ts'

const RATE = 100
const limits = { messagesPerSecond: RATE }
const TCP = { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js', limits }
const WS = { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js', limits }
const HTTP = { name: 'http', protocol: 'http', port: 0, handler: './http.js', websocket: { path: '/ws', handler: './ws.js', limits } }
// A second's worth at once, the rest at the rate.
const COUNT = 2 * RATE + RATE / 2
const SHORTEST_MS = 1400

function numbers(count: number): string {
  return Array.from({ length: count }, (_, i) => `${i}\r\n`).join('')
}

test('messagesPerSecond holds a tcp client to its rate: every message is handled, in order, and the client is not read meanwhile', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: [TCP] }, { files: FILES })
  const client = await Client.open(await daemon.address('tcp'))
  t.after(() => client.socket.destroy())
  await client.until('\r\n')
  const greeting = client.text
  const start = performance.now()
  client.write(numbers(COUNT))
  // With the end of the line before: the greeting ends in the number of a port.
  await client.until(`\r\n${RATE - 1}\r\n`)
  const atOnce = performance.now() - start
  // More than is in one read, while the first ones wait.
  client.write('x'.repeat(100_000))
  await client.until(`\r\n${COUNT - 1}\r\n`)
  const ms = performance.now() - start

  t.diagnostic(`${COUNT} messages in ${ms.toFixed(0)} ms`)
  assert.equal(client.text, greeting + numbers(COUNT))
  assert.ok(atOnce < 700, `the first second's worth took ${atOnce} ms`)
  assert.ok(ms > SHORTEST_MS && ms < 8000, `${ms} ms`)
})

for (const [name, path] of [
  ['ws', '/'],
  ['http', '/ws'],
] as const) {
  test(`messagesPerSecond holds a WebSocket on a port of protocol ${name} to its rate`, async (t) => {
    const daemon = await DaemonProcess.start(t, { ports: [WS, HTTP] }, { files: FILES })
    const { host, port } = await daemon.address(name)
    const socket = new WebSocket(`ws://${host}:${port}${path}`)
    t.after(() => socket.terminate())
    await once(socket, 'message')
    const echoes: string[] = []
    const start = performance.now()
    for (let i = 0; i < COUNT; i++) socket.send(String(i))
    const done = new Promise<void>((resolve) => socket.on('message', (message) => echoes.push(String(message)) === COUNT && resolve()))
    await done

    assert.ok(performance.now() - start > SHORTEST_MS)
    assert.deepEqual(
      echoes,
      Array.from({ length: COUNT }, (_, i) => String(i)),
    )
  })
}

test('messagesPerSecond: who brings more than a minute of messages at once is closed with reason rate', async (t) => {
  const port = { ...TCP, limits: { messagesPerSecond: 2 } }
  const daemon = await DaemonProcess.start(t, { ports: [port] }, { files: FILES })
  const client = await Client.open(await daemon.address('tcp'))
  await client.until('\r\n')
  client.write(numbers(1000))
  await client.closed
  await daemon.line(/"reason":"rate","msg":"closed"/)
  await eventually('it is counted', async () => seriesOf(await daemon.metrics(), 'polyport_connections_closed_total{port="tcp",reason="rate"}') === 1)
})

test('messagesPerSecond: a client that ends is answered first; one that vanishes, and a stop, wait for nothing', async (t) => {
  const port = { ...TCP, limits: { messagesPerSecond: 10 } }
  const daemon = await DaemonProcess.start(t, { ports: [port], maxWaitSeconds: 30 }, { files: FILES })
  const address = await daemon.address('tcp')
  const ends = await Client.open(address)
  ends.socket.end(numbers(15))
  await ends.closed
  assert.match(ends.text, /\r\n13\r\n14\r\n$/)
  const vanishes = await Client.open(address)
  await vanishes.until('\r\n')
  vanishes.write(numbers(100))
  await vanishes.until('\r\n5\r\n')
  vanishes.socket.resetAndDestroy()
  await eventually('it has its onClose', () => daemon.lines.filter((line) => line.includes('"msg":"closed"')).length === 2)
  const waits = await Client.open(address)
  await waits.until('\r\n')
  waits.write(numbers(100))
  await waits.until('\r\n5\r\n')
  const start = performance.now()
  assert.equal(await daemon.stop(), 0)
  assert.ok(performance.now() - start < 3000)
})

test('messagesPerSecond survives a reload: what waits is handled by the new worker, in order and no faster', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: [TCP, WS] }, { files: FILES })
  const client = await Client.open(await daemon.address('tcp'))
  t.after(() => client.socket.destroy())
  await client.until('\r\n')
  const greeting = client.text
  const start = performance.now()
  client.write(numbers(6 * RATE))
  await client.until(`\r\n${RATE}\r\n`)
  assert.equal((await daemon.request('POST', '/api/reload')).status, 200)
  await client.until(`\r\n${6 * RATE - 1}\r\n`)
  const ms = performance.now() - start

  t.diagnostic(`${6 * RATE} messages in ${ms.toFixed(0)} ms over a reload`)
  assert.equal(client.text, greeting + numbers(6 * RATE))
  assert.ok(ms > 4800, `${ms} ms`)
})
