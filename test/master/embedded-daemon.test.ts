import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import type { ConfigInput, Daemon } from 'polyport'
import { createDaemon, daemon as current, NotInDaemonError } from 'polyport'
import { request } from 'undici'
import { sharedMemoryDir } from '../../src/shared/memory-folder.ts'
import { Client } from '../daemon-process.ts'
import { ringsOf } from '../net/rings.ts'

const FOLDER = join(import.meta.dirname, '..', '.tmp')

function handlerFile(t: TestContext, name: string, text: string): string {
  mkdirSync(FOLDER, { recursive: true })
  const dir = mkdtempSync(join(FOLDER, 'e-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  writeFileSync(join(dir, name), text)
  return join(dir, name)
}

function whereOf(daemon: Daemon, name: string): { host: string; port: number } {
  const address = daemon.ports.find((port) => port.name === name)?.address ?? ''
  return { host: address.slice(0, address.lastIndexOf(':')), port: Number(address.slice(address.lastIndexOf(':') + 1)) }
}

const ECHO =
  "import { daemon, TcpHandler } from 'polyport'\nexport default class Echo extends TcpHandler { onReceive(connection, message) { connection.send(daemon().name + ' ' + message) } }\n"

test('createDaemon() runs a worker in this process, and stop() leaves nothing', async (t) => {
  assert.throws(() => current(), NotInDaemonError)
  const handler = handlerFile(t, 'echo.mjs', ECHO)
  const runtimeDir = join(dirname(handler), 'run')
  const memory = sharedMemoryDir(join(runtimeDir, `${process.pid}-1`))
  const config: ConfigInput = {
    name: 'inside',
    runtimeDir,
    log: { level: 'silent' },
    ports: [{ name: 'line', protocol: 'tcp', port: 0, handler }],
    tables: { t: { size: 10, columns: { n: { type: 'int' } } } },
  }
  const daemon = await createDaemon(config)
  const client = await Client.open(whereOf(daemon, 'line'))
  client.write('hi\r\n')

  assert.equal(await client.until('\r\n'), 'inside hi\r\n')
  assert.equal(daemon.tables['t']?.incr('a', 'n', 2), 2)
  assert.equal(daemon.stats().connections, 1)
  assert.equal([...daemon.connections()].length, 1)
  assert.equal(current(), daemon)
  assert.ok(existsSync(memory))
  await daemon.stop()
  await client.closed
  const closed = /^Error: The daemon has stopped/
  const uses = [() => daemon.tables['t']?.get('a'), () => daemon.tables['t']?.set('a', { n: 1 }), () => daemon.stats(), () => daemon.counter('never asked for')]
  for (const use of uses) assert.throws(use, closed)
  assert.throws(() => current(), NotInDaemonError)
  assert.equal(existsSync(memory), false)
})

test('createDaemon() takes a config file by its file: URL, as tests know their neighbours', async (t) => {
  const handler = handlerFile(t, 'echo.mjs', ECHO)
  const file = join(dirname(handler), 'config.json')
  writeFileSync(file, JSON.stringify({ name: 'by-url', ports: [{ protocol: 'tcp', port: 0, handler: './echo.mjs' }] }))

  const daemon = await createDaemon(pathToFileURL(file))

  assert.equal(daemon.name, 'by-url')
  await daemon.stop()
})

test('createDaemon() with two daemons in one process: each has its own memory', async (t) => {
  const handler = handlerFile(t, 'echo.mjs', ECHO)
  const config: ConfigInput = { log: { level: 'silent' }, ports: [{ protocol: 'tcp', port: 0, handler }] }
  const first = await createDaemon(config)
  const second = await createDaemon(config)
  first.counter('c').add(5)

  assert.equal(second.counter('c').value, 0)
  await first.stop()
  await second.stop()
})

test('createDaemon() shows what the worker and the other roles in this process have counted', async (t) => {
  const handler = handlerFile(t, 'echo.mjs', ECHO)
  const admin = { path: join(dirname(handler), 'admin.sock') }
  const ports: ConfigInput['ports'] = [{ name: 'line', protocol: 'tcp', port: 0, handler }]
  const daemon = await createDaemon({ name: 'inside', runtimeDir: join(dirname(handler), 'run'), log: { level: 'silent' }, admin, ports })
  t.after(() => daemon.stop())
  const page = await new Promise<string>((resolve, reject) => {
    const request = http.get({ socketPath: admin.path, path: '/metrics' }, async (response) => {
      let text = ''
      for await (const chunk of response) text += chunk
      resolve(text)
    })
    request.on('error', reject)
  })

  assert.match(page, /^polyport_worker_message_errors_total\{worker="0"\} 0$/m)
  assert.match(page, /^polyport_bus_waits_total\{worker="0"\} 0$/m)
})

test('createDaemon() with a path that no file has says so, and nothing of the command line', async () => {
  await assert.rejects(createDaemon('/nope.json'), { code: 'POLYPORT_CONFIG', message: '/nope.json: there is no such file, expected a config file' })
})

test('createDaemon() says once which of the config has no effect in this process, and nothing where all has', (t) => {
  const handler = handlerFile(t, 'echo.mjs', ECHO)
  const warningsOf = (more: Partial<ConfigInput>): unknown[] => {
    const config = {
      log: { level: 'warn', format: 'json' },
      runtimeDir: join(dirname(handler), 'run'),
      ports: [{ protocol: 'tcp', port: 0, handler }],
      ...more,
    }
    const code = `import { createDaemon } from 'polyport'; await (await createDaemon(${JSON.stringify(config)})).stop()`
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { cwd: FOLDER, encoding: 'utf8', timeout: 20_000 })
    assert.equal(status, 0, stderr)
    return stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line).keys)
  }

  assert.deepEqual(warningsOf({ workers: 3, user: 'root', maxRequests: 9, watch: { enabled: true } }), [['workers', 'user', 'maxRequests', 'watch']])
  assert.deepEqual(warningsOf({ workers: 1, watch: { paths: ['.'] } }), [])
})

test('daemons in this process that send to many leave no descriptor each', async (t) => {
  const text = `import { TcpHandler } from 'polyport'
export default class All extends TcpHandler {
  onConnect(connection) { connection.send('welcome') }
  onReceive(_, message) { this.daemon.broadcast(message) }
}`
  const open = async (): Promise<{ daemon: Daemon; clients: Client[] }> => {
    const handler = handlerFile(t, 'all.mjs', text)
    const ports: ConfigInput['ports'] = [{ name: 'line', protocol: 'tcp', port: 0, handler }]
    const daemon = await createDaemon({ runtimeDir: join(dirname(handler), 'run'), log: { level: 'silent' }, ports })
    const clients = await Promise.all(Array.from({ length: 10 }, () => Client.open(whereOf(daemon, 'line'))))
    for (const client of clients) await client.until('welcome\r\n')
    return { daemon, clients }
  }
  const rings: number[] = []
  for (const _ of [1, 2]) {
    const both = [await open(), await open()]
    for (const [i, { clients }] of both.entries()) clients[0]?.write(`to all of ${i}\r\n`)
    for (const [i, { clients }] of both.entries()) for (const client of clients) await client.until(`to all of ${i}\r\n`)
    for (const { daemon } of both) await daemon.stop()
    rings.push(ringsOf().length)
  }

  const [first, second] = rings
  assert.equal(second, first)
})

test('daemon.http is an Agent that requests go through', async (t) => {
  const handler = handlerFile(t, 'echo.mjs', ECHO)
  const daemon = await createDaemon({ runtimeDir: join(dirname(handler), 'run'), log: { level: 'silent' }, ports: [{ protocol: 'tcp', port: 0, handler }] })
  const server = http.createServer((_request, response) => response.end('there'))
  t.after(() => Promise.all([daemon.stop(), new Promise((resolve) => server.close(resolve))]))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  const { body } = await request(`http://127.0.0.1:${port}/`, { dispatcher: daemon.http })

  assert.equal(await body.text(), 'there')
  assert.equal(daemon.http, daemon.http)
})

test('what a daemon gives shows itself without internals, in console.log and in JSON', async (t) => {
  const handler = handlerFile(
    t,
    'shown.mjs',
    `import { inspect } from 'node:util'
import { TcpHandler } from 'polyport'
export default class Shown extends TcpHandler {
  onReceive(connection) { connection.send(JSON.stringify([inspect(connection), connection, inspect(this.port)])) }
}`,
  )
  const daemon = await createDaemon({
    runtimeDir: join(dirname(handler), 'run'),
    log: { level: 'silent' },
    ports: [{ name: 'line', protocol: 'tcp', port: 0, handler }],
    tables: { t: { size: 10, columns: { n: { type: 'int' } } } },
  })
  t.after(() => daemon.stop())
  const client = await Client.open(whereOf(daemon, 'line'))
  client.write('hi\r\n')

  const [connection, asJson, port] = JSON.parse(await client.until('\r\n')) as [string, object, string]
  const { address } = daemon.ports[0] ?? {}

  assert.match(connection, /^Connection \{\n {2}fd: \d+,\n {2}port: 'line',\n {2}remoteAddress: '127\.0\.0\.1',/)
  assert.deepEqual(Object.keys(asJson), ['fd', 'port', 'remoteAddress', 'remotePort', 'connectedAt', 'bytesIn', 'bytesOut', 'bufferedBytes', 'isOpen'])
  assert.match(port, /^Port \{\n {2}name: 'line',\n {2}protocol: 'tcp',\n {2}address: '[\d.:]+',\n {2}connections: 1\n\}$/)
  assert.equal(JSON.stringify(daemon.ports), JSON.stringify([{ name: 'line', protocol: 'tcp', address, connections: 1 }]))
  assert.match(
    inspect(daemon, { breakLength: Number.POSITIVE_INFINITY }),
    /^Daemon \{ name: .*, ports: \[ Port \{ name: 'line', .* \} \], tables: .*Table \{ name: 't', size: 10, count: 0 \} \}, processes: \{\} \}$/,
  )
  assert.equal(inspect(daemon.counter('n')), 'Counter { value: 0 }')
  assert.equal(inspect(daemon.workers), 'Workers {}')
  assert.equal(inspect({ a: { b: { c: daemon } } }), '{ a: { b: { c: [Daemon] } } }')
})
