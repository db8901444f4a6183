import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Client, childrenOf, DaemonProcess } from '../daemon-process.ts'
import { eventually, sleep } from './process-figures.ts'

const ECHO = (start = ''): string => `
import { TcpHandler } from 'polyport'
export default class Echo extends TcpHandler {
  onStart() { ${start} }
  onReceive(connection, message) { if (message.toString() === 'die') process.exit(9); connection.send(process.pid + ' ' + message) }
  onClose() { this.log.info('onClose') }
}`
const PORTS = [{ name: 'tcp', protocol: 'tcp', port: 0, handler: './echo.js' }]
const HANGS = "this.log.info('it hangs'); return new Promise(() => {})"

async function isReady(daemon: DaemonProcess): Promise<boolean> {
  return (await daemon.request('GET', '/readyz')).status === 200
}

function worker(daemon: DaemonProcess): number {
  const [pid] = childrenOf(daemon.pid)
  assert.ok(pid)
  return pid
}

async function answer(client: Client, text: string): Promise<number> {
  const before = client.received.length
  client.write(`${text}\r\n`)
  await client.until(before + text.length + 4)
  return Number.parseInt(client.text.slice(before), 10)
}

test('a worker that follows a dead one and does not get ready is killed after startSeconds, and tried again', async (t) => {
  const daemon = await DaemonProcess.start(t, { startSeconds: 3, ports: PORTS }, { files: { 'echo.js': ECHO() } })
  writeFileSync(join(daemon.dir, 'echo.js'), ECHO(HANGS))
  process.kill(worker(daemon), 'SIGKILL')
  await daemon.line(/Worker does not get ready: killing it/)
  writeFileSync(join(daemon.dir, 'echo.js'), ECHO())
  await eventually('it is back', () => isReady(daemon))
})

test('a worker that dies while a reload fails is started again, also after a reload that came while one was held back', async (t) => {
  const daemon = await DaemonProcess.start(t, { startSeconds: 3, ports: PORTS }, { files: { 'echo.js': ECHO() } })
  const where = await daemon.address('tcp')
  // Held back, with a reload meanwhile.
  while (!daemon.lines.some((line) => line.includes('"delayMs":800'))) {
    const client = await Client.open(where)
    client.write('die\r\n')
    await client.closed
  }
  assert.equal((await daemon.request('POST', '/api/reload')).status, 200)
  const old = worker(daemon)

  writeFileSync(join(daemon.dir, 'echo.js'), ECHO(HANGS))
  const failed = daemon.request('POST', '/api/reload')
  await daemon.line(/it hangs/)
  process.kill(old, 'SIGKILL')
  writeFileSync(join(daemon.dir, 'echo.js'), ECHO())

  assert.equal((await failed).status, 422)
  await eventually('it is back', () => isReady(daemon), 10_000)
})

test('a master that has been stopped for a while does not take its workers for stuck', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, stuckSeconds: 7, ports: PORTS }, { files: { 'echo.js': ECHO() } })
  const pids = childrenOf(daemon.pid)
  daemon.child.kill('SIGSTOP')
  await sleep(8500)
  daemon.child.kill('SIGCONT')
  await sleep(2500)

  assert.deepEqual(childrenOf(daemon.pid), pids)
  assert.ok(await isReady(daemon))
})

test('SIGTERM to a worker replaces that worker, and its clients notice nothing', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: PORTS }, { files: { 'echo.js': ECHO() } })
  const client = await Client.open(await daemon.address('tcp'))
  t.after(() => client.socket.destroy())
  const old = await answer(client, 'x')
  process.kill(old, 'SIGTERM')
  await eventually('another answers', async () => (await answer(client, 'x')) !== old)

  assert.ok(!daemon.lines.some((line) => line.includes('onClose')))
  assert.match(readFileSync(join(daemon.dir, 'run', 'polyport.pid'), 'utf8'), new RegExp(`^${daemon.pid}\n`))
})

test('maxMemory below what a worker begins with: it is not replaced all the time', async (t) => {
  const daemon = await DaemonProcess.start(t, { maxMemory: 64 * 1024 * 1024, ports: PORTS }, { files: { 'echo.js': ECHO() } })
  const pids = new Set<number>()
  const end = performance.now() + 5000
  while (performance.now() < end) {
    for (const pid of childrenOf(daemon.pid)) pids.add(pid)
    await sleep(100)
  }
  assert.ok(pids.size <= 2, `${pids.size} processes in 5 s`)
})
