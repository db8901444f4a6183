import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Client, childrenOf, closeAll, DaemonProcess } from '../daemon-process.ts'
import { becomes, eventually } from './process-figures.ts'

const ECHO = (version: string): string => `
import { TcpHandler } from 'polyport'
export default class Echo extends TcpHandler { onReceive(connection, message) { connection.send('${version} ' + message) } }`
const PORTS = [{ name: 'tcp', protocol: 'tcp', port: 0, handler: './echo.js' }]

function reload(daemon: DaemonProcess): Promise<{ status: number; body: string }> {
  return daemon.request('POST', '/api/reload')
}

const BROKEN: { readonly name: string; readonly break: (dir: string) => void; readonly says: RegExp }[] = [
  { name: 'a syntax error', break: (dir) => writeFileSync(join(dir, 'echo.js'), 'export default class {'), says: /echo\.js/ },
  { name: 'a missing file', break: (dir) => rmSync(join(dir, 'echo.js')), says: /echo\.js/ },
  {
    name: 'a constructor that throws',
    break: (dir) => writeFileSync(join(dir, 'echo.js'), ECHO('v2').replace('{ onReceive', '{ constructor() { super(); throw new Error("no luck") } onReceive')),
    says: /no luck/,
  },
  {
    name: 'an onStart that rejects',
    break: (dir) => writeFileSync(join(dir, 'echo.js'), ECHO('v2').replace('{ onReceive', '{ async onStart() { throw new Error("no luck") } onReceive')),
    says: /no luck/,
  },
  {
    name: 'a mistake in the config',
    break: (dir) => writeFileSync(join(dir, 'config.json'), '{ "runtimeDir": "./run", "prots": [] }'),
    says: /"prots".*did you mean "ports"/,
  },
  { name: 'code that ends the process', break: (dir) => writeFileSync(join(dir, 'echo.js'), 'process.exit(7)'), says: /ended before it was ready/ },
  {
    name: 'a worker that never gets ready',
    break: (dir) => {
      const config = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8'))
      // Too short for any start on a busy machine: so for this reload alone.
      writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...config, startSeconds: 3 }))
      writeFileSync(
        join(dir, 'echo.js'),
        ECHO('v2').replace('{ onReceive', '{ onStart() { return new Promise((resolve) => setTimeout(resolve, 60_000)) } onReceive'),
      )
    },
    says: /did not load its handlers within 3 s/,
  },
  {
    name: 'a port that is taken',
    break: (dir) => {
      const config = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8'))
      writeFileSync(
        join(dir, 'config.json'),
        JSON.stringify({ ...config, ports: [...config.ports, { name: 'low', protocol: 'tcp', host: '192.0.2.1', port: 9, handler: './echo.js' }] }),
      )
    },
    says: /Cannot open port "low"/,
  },
  {
    name: 'what cannot change without a restart',
    break: (dir) => {
      const config = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8'))
      writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...config, dispatch: 'ip-hash', name: 'other' }))
    },
    says: /name has changed.*restart.*dispatch has changed/,
  },
]

describe('a reload that fails', () => {
  for (const { name, break: breakIt, says } of BROKEN) {
    test(`${name}: says so, and the old code goes on with every connection`, async (t) => {
      const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: { 'echo.js': ECHO('v1') } })
      const client = await Client.open(await daemon.address('tcp'))
      t.after(() => client.socket.destroy())
      const config = readFileSync(join(daemon.dir, 'config.json'))
      const pids = childrenOf(daemon.pid)

      breakIt(daemon.dir)
      const failed = await reload(daemon)
      client.write('one\r\n')

      assert.equal(failed.status, 422)
      assert.match(failed.body, says)
      assert.match(await client.until('\r\n'), /^v1 one/)
      await eventually('the new workers are gone', () => childrenOf(daemon.pid).length === 2)
      assert.deepEqual(childrenOf(daemon.pid), pids)
      assert.match(await daemon.metrics(), /polyport_reloads_total\{result="failed"\} 1/)

      writeFileSync(join(daemon.dir, 'config.json'), config)
      writeFileSync(join(daemon.dir, 'echo.js'), ECHO('v3'))
      assert.equal((await reload(daemon)).status, 200)
      client.write('two\r\n')
      assert.match(await client.until('two\r\n'), /v3 two/)
      // Nobody has died whom the master has not ended itself.
      assert.deepEqual(
        daemon.lines.filter((line) => line.includes('"signal":"SIGKILL"')),
        [],
      )
    })
  }

  test('workers that die while they load start no storm of others', async (t) => {
    const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: { 'echo.js': ECHO('v1') } })
    writeFileSync(join(daemon.dir, 'echo.js'), 'process.exit(7)')
    for (let i = 0; i < 3; i++) assert.equal((await reload(daemon)).status, 422)

    const { workers } = await daemon.status()
    assert.deepEqual(
      workers.map(({ restarts, state }) => `${restarts} ${state}`),
      ['0 ready', '0 ready'],
    )
  })
})

test('of two reloads at once the second waits for the first', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: { 'echo.js': ECHO('v1') } })
  const client = await Client.open(await daemon.address('tcp'))
  t.after(() => client.socket.destroy())
  writeFileSync(join(daemon.dir, 'echo.js'), ECHO('v2'))

  assert.deepEqual(
    (await Promise.all([reload(daemon), reload(daemon)])).map(({ status }) => status),
    [200, 200],
  )
  client.write('x\r\n')
  assert.match(await client.until('\r\n'), /^v2 x/)
  await eventually('the old workers are gone', () => childrenOf(daemon.pid).length === 2)
  assert.match(await daemon.metrics(), /polyport_reloads_total\{result="done"\} 2/)
})

test('20 SIGHUPs in a second: the master lives, and each slot ends with one worker', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: { 'echo.js': ECHO('v1') } })
  const clients = await Promise.all(Array.from({ length: 20 }, async () => Client.open(await daemon.address('tcp'))))
  t.after(() => closeAll(clients))
  for (let i = 0; i < 20; i++) {
    daemon.child.kill('SIGHUP')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  for (const client of clients) {
    client.write('x\r\n')
    assert.match(await client.until('\r\n'), /^v1 x/)
  }
  await eventually('the reloads are done', async () => (await daemon.status()).workers.length === 2 && childrenOf(daemon.pid).length === 2)
})

test('a worker that is killed in the middle of a reload: each slot ends with one good worker, the others lose nothing', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: { 'echo.js': ECHO('v1') } })
  const clients = await Promise.all(Array.from({ length: 60 }, async () => Client.open(await daemon.address('tcp'))))
  t.after(() => closeAll(clients))
  for (let round = 0; round < 6; round++) {
    const before = childrenOf(daemon.pid)
    const done = reload(daemon)
    // An old one, or a new one, at any moment of it.
    await eventually('a new worker has been started', () => childrenOf(daemon.pid).length > 2)
    const victims = round % 2 === 0 ? before : childrenOf(daemon.pid).filter((pid) => !before.includes(pid))
    await new Promise((resolve) => setTimeout(resolve, 50 * round))
    try {
      process.kill(victims[0] ?? 0, 'SIGKILL')
    } catch {
      // It had ended already.
    }
    await done
    await eventually('every slot has one worker', async () => {
      const { workers } = await daemon.status()
      return workers.length === 2 && workers.every(({ state }) => state === 'ready') && childrenOf(daemon.pid).length === 2
    })
  }
  const open = clients.filter(({ socket }) => !socket.destroyed)
  for (const client of open) {
    client.write('x\r\n')
    await Promise.race([client.until('\r\n'), client.closed])
  }
  const answered = clients.filter(({ text }) => text.startsWith('v1 x'))
  t.diagnostic(`${answered.length} of 60 connections are left after 6 kills in the middle of reloads`)
  for (const { socket, text } of clients) assert.ok(socket.destroyed || text.startsWith('v1 x'), 'a connection hangs')
  await becomes(answered.length, async () => (await daemon.status()).ports[0]?.connections)
})
