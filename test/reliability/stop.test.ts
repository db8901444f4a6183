import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { sharedMemoryDir } from '../../src/shared/memory-folder.ts'
import { Client, childrenOf, DaemonProcess, isRunning } from '../daemon-process.ts'
import { FILES, PORTS } from './handlers.ts'
import { eventually } from './process-figures.ts'

// On a quiet machine it is 0.1 s; what holds a stop up does so for the 30 s of maxWaitSeconds.
const STOP_LIMIT_MS = 5000

function get(options: http.RequestOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.get({ agent: false, ...options }, (response) => response.resume().on('end', () => resolve(response.statusCode ?? 0)))
    request.on('error', reject)
  })
}

async function messagesIn(daemon: DaemonProcess, port: string): Promise<number> {
  return Number(new RegExp(`polyport_messages_received_total\\{port="${port}"\\} (\\d+)`).exec(await daemon.metrics())?.[1])
}

test('a stop answers the 50 requests that are in flight', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: FILES })
  const where = await daemon.address('http')
  const answers = Array.from({ length: 50 }, () => get({ ...where, path: '/wait?300' }))
  while ((await messagesIn(daemon, 'http')) < 50);

  assert.equal(await daemon.stop(), 0)
  assert.deepEqual(new Set(await Promise.all(answers)), new Set([200]))
})

test('a stop takes no worker that is older than its start may take for one that does not start', async (t) => {
  const daemon = await DaemonProcess.start(t, { startSeconds: 3, ports: PORTS }, { files: FILES })
  const where = await daemon.address('http')
  const [worker] = (await daemon.status()).workers
  await eventually('it is that old', () => Date.now() - Number(new Date(worker?.startedAt ?? 0)) > 4500)
  const answer = get({ ...where, path: '/wait?3000' })
  while ((await messagesIn(daemon, 'http')) < 1);

  assert.equal(await daemon.stop(), 0)
  assert.equal(await answer, 200)
  assert.deepEqual(
    daemon.lines.filter((line) => line.includes('illing')),
    [],
  )
})

test('idle clients do not hold a stop up', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: FILES })
  const telnet = await Client.open(await daemon.address('tcp'))
  const kept = await Client.open(await daemon.address('http'))
  kept.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await kept.until('hello')
  const chat = await daemon.address('ws')
  const webSocket = new WebSocket(`ws://${chat.host}:${chat.port}`)
  await once(webSocket, 'open')
  const closeCode = once(webSocket, 'close')

  const start = performance.now()
  assert.equal(await daemon.stop(), 0)
  const stopMs = performance.now() - start

  t.diagnostic(`stopped in ${stopMs.toFixed(0)} ms`)
  assert.ok(stopMs < STOP_LIMIT_MS, `the stop took ${stopMs} ms`)
  assert.equal((await closeCode)[0], 1001)
  await Promise.all([telnet.closed, kept.closed])
})

test('clients that stop in the middle of a request do not hold a stop up', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: FILES })
  const open = async (port: string, bytes: string): Promise<Client> => {
    const client = await Client.open(await daemon.address(port))
    client.write(bytes)
    return client
  }
  const clients = await Promise.all([
    open('http', 'GET / HT'),
    open('http', 'GET / HTTP/1.1\r\nHost: x\r\nContent-'),
    open('http', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab'),
    open('ws', 'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: web'),
  ])
  await clients[2]?.until('hello')
  while (Number(/polyport_bytes_received_total\{port="ws"\} (\d+)/.exec(await daemon.metrics())?.[1]) === 0);

  const start = performance.now()
  assert.equal(await daemon.stop(), 0)
  const stopMs = performance.now() - start

  t.diagnostic(`stopped in ${stopMs.toFixed(0)} ms`)
  assert.ok(stopMs < STOP_LIMIT_MS, `the stop took ${stopMs} ms`)
  await Promise.all(clients.map(({ closed }) => closed))
})

test('a second SIGINT ends at once what the first one waits for', async (t) => {
  // Not as npm runs it, which passes on what it is sent: see stop-signals.ts.
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: FILES, env: { npm_lifecycle_event: '' } })
  const workers = childrenOf(daemon.pid)
  const request = get({ ...(await daemon.address('http')), path: '/wait?60000' }).catch(() => 0)
  while ((await messagesIn(daemon, 'http')) < 1);
  daemon.child.kill('SIGINT')
  await daemon.line(/"msg":"Stopping"/)

  const start = performance.now()
  daemon.child.kill('SIGINT')
  const code = await daemon.exited
  const endMs = performance.now() - start

  assert.ok(endMs < STOP_LIMIT_MS, `it took ${endMs} ms`)
  assert.notEqual(code, 0)
  assert.equal(await request, 0)
  await eventually('no worker is left', () => !workers.some(isRunning))
})

const SLOW_STARTS = {
  'loads its handlers': "console.log('starting')\nawait new Promise((done) => setTimeout(done, 1000))\n",
  'opens its ports': '',
}
for (const [when, before] of Object.entries(SLOW_STARTS)) {
  test(`a stop while it ${when} is a stop`, async (t) => {
    const onStart = before === '' ? "console.log('starting')\nawait new Promise((done) => setTimeout(done, 1000))" : ''
    const slow = `import { TcpHandler } from 'polyport'\n${before}export default class extends TcpHandler { async onStart() { ${onStart} } onReceive() {} }\n`
    const config = { workers: 2, ports: [{ name: 'slow', protocol: 'tcp', port: 0, handler: './slow.js' }] }
    const daemon = DaemonProcess.spawn(t, config, { files: { 'slow.js': slow } })
    await daemon.line(/starting/)
    daemon.child.kill('SIGTERM')

    assert.equal(await daemon.exited, 0, daemon.lines.join('\n'))
    assert.deepEqual(
      daemon.lines.filter((line) => /Error|Ready| {4}at /.test(line)),
      [],
    )
    assert.equal(existsSync(join(daemon.dir, 'run', 'polyport.pid')), false)
    assert.equal(existsSync(sharedMemoryDir(join(daemon.dir, 'run'))), false)
    await DaemonProcess.again(t, daemon.dir)
  })
}
