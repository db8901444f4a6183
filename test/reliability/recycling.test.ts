import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Client, childrenOf, closeAll, DaemonProcess, isRunning, kill } from '../daemon-process.ts'
import { becomes, eventually, MIB, memoryOf } from './process-figures.ts'

const FILES = {
  'tcp.js': `
import { writeFileSync } from 'node:fs'
import { TcpHandler } from 'polyport'
const hoard = []
export default class Worker extends TcpHandler {
  onReceive(connection, message) {
    const text = message.toString()
    if (text === 'die') process.exit(9)
    if (text === 'throw') setImmediate(() => { throw new Error('nobody catches this') })
    if (text === 'hang') for (writeFileSync(new URL('./hung', import.meta.url), ''); ; );
    if (text === 'hoard') for (let i = 0; i < 20; i++) hoard.push(Buffer.alloc(1024 * 1024, 1))
    if (text === 'heap') for (const all = []; ;) all.push(new Array(10_000).fill({}))
    connection.send(process.pid + ' ' + text)
  }
  onClose() { this.log.info('onClose') }
}`,
}
const PORTS = [{ name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js' }]

/** The process that answers. */
async function ask(client: Client, text: string): Promise<number> {
  const before = client.received.length
  client.write(`${text}\r\n`)
  await client.until(before + 1)
  while (!client.text.slice(before).includes('\r\n')) await client.until(client.received.length + 1)
  return Number.parseInt(client.text.slice(before), 10)
}

test('maxRequests replaces a worker, and its clients notice nothing', async (t) => {
  const daemon = await DaemonProcess.start(t, { maxRequests: 500, ports: PORTS }, { files: FILES })
  const clients = await Promise.all(Array.from({ length: 10 }, async () => Client.open(await daemon.address('tcp'))))
  t.after(() => closeAll(clients))
  const pids = new Set<number>()
  await eventually('three processes have answered', async () => {
    // At once: one behind the other they would take their time on a busy machine.
    for (const pid of await Promise.all(clients.map((client) => ask(client, 'x')))) pids.add(pid)
    return pids.size >= 3
  })
  assert.ok(clients.every(({ socket }) => !socket.destroyed))
  const [worker] = (await daemon.status()).workers
  assert.equal(worker?.restarts, 0)
  assert.ok(!daemon.lines.some((line) => line.includes('onClose')))
})

test('maxMemory replaces a worker that has grown, and its clients notice nothing', async (t) => {
  const daemon = await DaemonProcess.start(t, { maxMemory: 160 * MIB, ports: PORTS }, { files: FILES })
  const client = await Client.open(await daemon.address('tcp'))
  t.after(() => client.socket.destroy())
  const old = await ask(client, 'x')
  while (memoryOf(old).rss < 170 * MIB) await ask(client, 'hoard')
  await eventually('another answers', async () => (await ask(client, 'x')) !== old)
  assert.ok(!daemon.lines.some((line) => line.includes('onClose')))
})

test('a worker whose event loop is stuck is killed after stuckSeconds; the others answer meanwhile', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, stuckSeconds: 7, ports: PORTS }, { files: FILES })
  const clients: Client[] = []
  t.after(() => closeAll(clients))
  const pids = new Map<number, Client>()
  await eventually('both workers have a client', async () => {
    const client = await Client.open(await daemon.address('tcp'))
    clients.push(client)
    pids.set(await ask(client, 'x'), client)
    return pids.size === 2
  })
  const [stuck, other] = [...pids.keys()]
  assert.ok(stuck && other)
  const start = performance.now()
  pids.get(stuck)?.write('hang\r\n')
  let slowest = 0
  while (isRunning(stuck)) {
    const before = performance.now()
    assert.equal(await ask(pids.get(other) as Client, 'x'), other)
    slowest = Math.max(slowest, performance.now() - before)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const seconds = (performance.now() - start) / 1000
  await eventually('it is back', async () => (await daemon.request('GET', '/readyz')).status === 200)
  t.diagnostic(`killed after ${seconds.toFixed(1)} s; the other worker answered within ${slowest.toFixed(0)} ms`)
  assert.ok(seconds >= 6 && seconds < 10, `${seconds} s`)
  assert.match(daemon.lines.join('\n'), /Worker is stuck/)
})

test('a crash loop: the delay grows, /readyz says so, and the other worker serves', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, dispatch: 'round-robin', ports: PORTS }, { files: FILES })
  const where = await daemon.address('tcp')
  const delays = (): number[] => daemon.lines.filter((line) => line.includes('Worker died')).map((line) => (JSON.parse(line) as { delayMs: number }).delayMs)
  while (Math.max(0, ...delays()) < 1600) {
    const client = await Client.open(where)
    client.write('die\r\n')
    await client.closed
  }
  const { status, body } = await daemon.request('GET', '/readyz')

  t.diagnostic(`delays of both workers: ${delays().join(', ')} ms; ${body.trim()}`)
  assert.equal(status, 503)
  assert.match(body, /keeps dying: tried again in 1\.6 s/)
  assert.ok(delays().length <= 14)
  assert.match(daemon.lines.find((line) => line.includes('Worker died')) ?? '', /"code":9,"signal":null/)
  await eventually('it is back', async () => (await daemon.request('GET', '/readyz')).status === 200)
})

test('an uncaught exception is logged with its stack, and ends one worker alone', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: FILES })
  const client = await Client.open(await daemon.address('tcp'))
  client.write('throw\r\n')
  await client.closed
  const line = await daemon.line(/nobody catches this/)
  assert.match(line, /Uncaught exception/)
  assert.match(line, /tcp\.js/)
  await becomes(1, async () => (await daemon.status()).workers.reduce((sum, { restarts }) => sum + restarts, 0))
  await eventually('it is back', async () => (await daemon.request('GET', '/readyz')).status === 200)
})

test('a worker that runs out of memory dies alone', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: FILES, env: { NODE_OPTIONS: '--max-old-space-size=60' } })
  const clients = await Promise.all(Array.from({ length: 20 }, async () => Client.open(await daemon.address('tcp'))))
  t.after(() => closeAll(clients))
  const [first] = clients
  assert.ok(first)
  const pids = await Promise.all(clients.map((client) => ask(client, 'x')))
  const [dead] = pids
  first.write('heap\r\n')
  await first.closed
  for (const [i, client] of clients.entries()) if (pids[i] !== dead) assert.equal(await ask(client, 'y'), pids[i])
  await eventually('it is back', async () => (await daemon.request('GET', '/readyz')).status === 200)
})

test('kill -9 of the master: its workers end within 2 s, and the next start works', async (t) => {
  const config = { workers: 2, ports: [...PORTS, { name: 'unix', protocol: 'tcp', path: './who.sock', handler: './tcp.js' }] }
  const daemon = await DaemonProcess.start(t, config, { files: FILES })
  const workers = childrenOf(daemon.pid)
  const start = performance.now()
  daemon.child.kill('SIGKILL')
  await eventually('the workers have ended', () => !workers.some(isRunning))
  const took = performance.now() - start
  assert.ok(took < 2000, `${took} ms`)
  assert.ok(existsSync(join(daemon.dir, 'run', 'polyport.pid')) && existsSync(join(daemon.dir, 'who.sock')))

  // The number in the pid file is another program's by now.
  writeFileSync(join(daemon.dir, 'run', 'polyport.pid'), `${process.pid}\n`)
  const next = await DaemonProcess.again(t, daemon.dir)
  assert.equal(Number(readFileSync(join(daemon.dir, 'run', 'polyport.pid'), 'utf8')), next.pid)
  const client = await Client.open({ path: join(daemon.dir, 'who.sock') })
  assert.ok((await ask(client, 'x')) > 0)
  client.socket.destroy()
})

test('kill -9 of the master while a worker is in an endless loop: that one ends within 2 s, too', async (t) => {
  const { daemon, workers, stuck, where } = await startStuck(t)
  const start = performance.now()
  daemon.child.kill('SIGKILL')
  await eventually('all have ended', () => !workers.some(isRunning))
  const took = performance.now() - start
  t.diagnostic(`${Math.round(took)} ms`)
  assert.ok(took < 2000, `${took} ms`)
  assert.match(await daemon.line(/whose master has died/), new RegExp(`"role":"sentry".*"childPid":${stuck},`))
  await assert.rejects(Client.open(where), { code: 'ECONNREFUSED' })
})

test('kill -9 of the master and its sentry, a worker in an endless loop: the next start ends that one, and has its port', async (t) => {
  const { daemon, workers, stuck, where } = await startStuck(t)
  process.kill(sentryOf(daemon.pid), 'SIGKILL')
  daemon.child.kill('SIGKILL')
  await eventually('the other worker has ended', () => workers.filter(isRunning).length < 2)

  const { port } = where
  writeFileSync(join(daemon.dir, 'config.json'), JSON.stringify({ runtimeDir: './run', workers: 2, ports: [{ ...PORTS[0], port }] }))
  const next = await DaemonProcess.again(t, daemon.dir)
  const again = await Client.open(where)
  t.after(() => again.socket.destroy())

  assert.ok(!isRunning(stuck))
  assert.ok(childrenOf(next.pid).includes(await ask(again, 'x')))
  assert.match(next.lines.join('\n'), new RegExp(`"childPid":${stuck},.*whose master has died`))
})

test('a daemon that is started again before the sentry of the one that was killed looks keeps its workers', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: FILES })
  const sentry = sentryOf(daemon.pid)
  daemon.child.kill('SIGKILL')
  const next = await DaemonProcess.again(t, daemon.dir)
  const workers = childrenOf(next.pid)
  await eventually('the sentry has looked', () => !isRunning(sentry))
  assert.deepEqual(workers.filter(isRunning), workers)
  const last = sentryOf(next.pid)
  next.child.kill('SIGTERM')
  await eventually('the last sentry is dismissed', () => !isRunning(last))
})

/** Two workers, one of them in an endless loop. */
async function startStuck(t: TestContext): Promise<{ daemon: DaemonProcess; workers: number[]; stuck: number; where: { host: string; port: number } }> {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: FILES })
  const where = await daemon.address('tcp')
  const workers = childrenOf(daemon.pid)
  t.after(() => workers.filter(isRunning).forEach(kill))
  const client = await Client.open(where)
  const stuck = await ask(client, 'x')
  client.write('hang\r\n')
  await eventually('it is in its loop', () => existsSync(join(daemon.dir, 'hung')))
  return { daemon, workers, stuck, where }
}

/** No child of the master: found by what it was started with. */
function sentryOf(master: number): number {
  const [pid, another] = readdirSync('/proc').filter((name) => {
    const words = /^\d+$/.test(name) ? commandOf(name) : []
    return words[0] === 'polyport: sentry' && words.at(-1)?.includes(`"master":${master},`) === true
  })
  assert.ok(pid !== undefined && another === undefined)
  return Number(pid)
}

function commandOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1)
  } catch {
    return []
  }
}

test('stampede: random workers killed every 100 ms for 5 s, with reloads between; afterwards all is answered', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 3, ports: PORTS }, { files: FILES })
  const where = await daemon.address('tcp')
  const clients: Client[] = []
  t.after(() => closeAll(clients))
  for (let i = 0; i < 50; i++) {
    if (i % 10 === 0) daemon.child.kill('SIGHUP')
    const pids = childrenOf(daemon.pid)
    kill(pids[Math.floor(Math.random() * pids.length)])
    clients.push(new Client(where), new Client(where))
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await eventually(
    'every slot has one worker',
    async () => (await daemon.request('GET', '/readyz')).status === 200 && childrenOf(daemon.pid).length === 3,
    60_000,
  )
  const fresh = await Promise.all(Array.from({ length: 20 }, () => Client.open(where)))
  clients.push(...fresh)
  for (const client of fresh) assert.ok((await ask(client, 'x')) > 0)
  for (const client of clients) {
    if (client.socket.destroyed) continue
    client.write('y\r\n')
    await Promise.race([client.until(' y\r\n').catch(() => {}), client.closed])
  }
  const open = clients.filter(({ socket }) => !socket.destroyed).length
  await eventually('the registry holds what is open', async () => (await daemon.status()).ports[0]?.connections === open)
})
