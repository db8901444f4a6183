import assert from 'node:assert/strict'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import type { DaemonStatus } from '../../src/admin/status.ts'
import { Client, DaemonProcess } from '../daemon-process.ts'
import { folder, launch, run } from './run-cli.ts'

const ECHO = `import { TcpHandler } from 'polyport'
export default class Echo extends TcpHandler {
  onReceive(connection, message) {
    connection.send(message)
  }
}
`
const CONFIG = {
  name: 'shop',
  ports: [{ name: 'line', protocol: 'tcp', port: 0, handler: './echo.mjs' }],
  tables: { ws: { size: 1000, columns: { value: { type: 'int' } } } },
}
const FILES = { 'echo.mjs': ECHO }

describe('polyport start', () => {
  test('a second one of the same runtimeDir fails with a sentence and leaves the first alone', async (t) => {
    const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES })

    const { code, stderr } = await run(t, ['start', '-c', join(daemon.dir, 'config.json')])

    assert.equal(code, 1)
    assert.match(stderr, new RegExp(`^Cannot start: a daemon with this runtimeDir runs already as process ${daemon.pid}; .*\n$`))
    assert.equal((await daemon.status()).state, 'ready')
  })

  test('SIGINT ends it within 2 s, with exit code 0, although a client stays', async (t) => {
    const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES })
    const client = await Client.open(await daemon.address('line'))
    const begin = performance.now()

    daemon.child.kill('SIGINT')

    assert.equal(await daemon.exited, 0)
    assert.ok(performance.now() - begin < 2000)
    await client.closed
  })

  test('a port that is taken is a sentence and exit code 1', async (t) => {
    const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES })
    const { port } = await daemon.address('line')
    const dir = folder(t)
    writeFileSync(join(dir, 'echo.mjs'), ECHO)
    writeFileSync(join(dir, 'config.json'), JSON.stringify({ ports: [{ protocol: 'tcp', port, handler: './echo.mjs' }] }))

    const { code, stderr } = await run(t, ['start'], { cwd: dir })

    assert.equal(code, 1)
    assert.match(stderr, new RegExp(`^Cannot open port "tcp-${port}" .*\n$`))
  })

  test('a pid file of another time does not hinder it, with -i or without', async (t) => {
    for (const args of [[], ['-i']]) {
      const dir = folder(t)
      mkdirSync(join(dir, 'run'))
      // This process is alive, and no daemon.
      writeFileSync(join(dir, 'run', 'polyport.pid'), `${process.pid}\n`)
      writeFileSync(join(dir, 'echo.mjs'), ECHO)
      writeFileSync(join(dir, 'config.json'), JSON.stringify(CONFIG))
      const { child, ended } = launch(t, ['start', ...args], { cwd: dir })

      await Promise.race([untilReady(child.stdout), ended])
      child.kill('SIGINT')

      assert.deepEqual({ code: (await ended).code, args }, { code: 0, args })
    }
  })

  test('a runtimeDir that cannot be made is a sentence and exit code 1', { skip: !existsSync('/proc/self') && 'there is no /proc' }, async (t) => {
    const dir = folder(t)
    const config = JSON.stringify({ ...CONFIG, runtimeDir: '/proc/run' })
    for (const [name, text] of Object.entries({ 'echo.mjs': ECHO, 'config.json': config })) writeFileSync(join(dir, name), text)

    const { code, stderr } = await run(t, ['start'], { cwd: dir })

    assert.equal(code, 1)
    assert.match(stderr, /^Cannot .*run.*\n$/)
  })

  test('-x shows the version of the application, as text', async (t) => {
    const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES, args: ['-x', '1.10', '-i'] })

    assert.equal((await daemon.status()).appVersion, '1.10')
  })
})

describe('polyport status', () => {
  test('shows the daemon, its ports, workers and tables', async (t) => {
    const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES })
    const client = await Client.open(await daemon.address('line'))
    client.write('hi\r\n')
    await client.until('hi\r\n')

    const { code, stdout } = await run(t, ['status', '-c', join(daemon.dir, 'config.json')])

    assert.equal(code, 0)
    assert.match(stdout, /^shop: ready for \d+ s$/m)
    assert.match(stdout, /^line +tcp +127\.0\.0\.1:\d+ +1 +1 +0 +1 +1 +4 B +4 B +0$/m)
    assert.match(stdout, /^ +0 +\d+ +ready +\d+ s +1 +\d+ MiB +0$/m)
    assert.match(stdout, /^ws +0 +1,000$/m)
    client.socket.destroy()
  })

  test('--json is what the control socket answers', async (t) => {
    const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES })

    const { stdout } = await run(t, ['status', '--json', '-c', join(daemon.dir, 'config.json')])

    const status = JSON.parse(stdout) as DaemonStatus
    assert.equal(status.pid, daemon.pid)
    assert.deepEqual(Object.keys(status), Object.keys(await daemon.status()))
  })
})

describe('polyport stop', () => {
  test('returns when the daemon has ended', async (t) => {
    const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES })

    const { code, stdout } = await run(t, ['stop', '-c', join(daemon.dir, 'config.json')])

    assert.equal(code, 0)
    assert.equal(stdout, `shop (process ${daemon.pid}) has stopped\n`)
    assert.equal(await daemon.exited, 0)
  })

  test('waits for as long as the daemon may take by the config that it runs with', async (t) => {
    const late = `export const onDaemonStop = () => new Promise(() => {})`
    const config = { ...CONFIG, lifecycle: ['./late.mjs'], maxWaitSeconds: 1 }
    const daemon = await DaemonProcess.start(t, config, { files: { ...FILES, 'late.mjs': late } })
    writeFileSync(join(daemon.dir, 'config.json'), JSON.stringify({ runtimeDir: './run', ...config, maxWaitSeconds: 0 }))

    const { code, stdout } = await run(t, ['stop', '-c', join(daemon.dir, 'config.json')])

    assert.deepEqual([code, stdout], [0, `shop (process ${daemon.pid}) has stopped\n`])
  })

  for (const verb of ['stop', 'status']) {
    test(`${verb} without a daemon is a sentence and exit code 3`, async (t) => {
      const dir = folder(t)
      writeFileSync(join(dir, 'echo.mjs'), ECHO)
      writeFileSync(join(dir, 'config.json'), JSON.stringify(CONFIG))

      const { code, stdout, stderr } = await run(t, [verb], { cwd: dir })

      assert.equal(code, 3)
      assert.match(stderr, /^No daemon is running: nothing answers in .*run\n$/)
      assert.equal(stdout, '')
    })
  }
})

async function untilReady(stdout: Readable): Promise<void> {
  let seen = ''
  for await (const chunk of stdout.iterator({ destroyOnReturn: false })) if ((seen += chunk).includes('"Ready"')) return
}

describe('with a config that has become wrong', () => {
  test('status, tasks, heap and stop find the daemon; reload and restart tell the mistakes, and it goes on', async (t) => {
    const daemon = await DaemonProcess.start(t, { ...CONFIG, tasks: { modules: [] } }, { files: FILES })
    const file = join(daemon.dir, 'config.json')
    writeFileSync(file, JSON.stringify({ ...CONFIG, runtimeDir: './run', wrokers: 2, ports: [{ ...CONFIG.ports[0], handler: './gone.mjs' }] }))
    const verb = async (...args: string[]): Promise<number | null> => (await run(t, [...args, '-c', file])).code

    assert.deepEqual([await verb('status'), await verb('tasks', 'list'), await verb('heap', '0')], [0, 0, 0])
    const { code, stderr } = await run(t, ['restart', '-c', file])
    assert.equal(code, 2)
    assert.match(stderr, /wrokers: unknown key/)
    assert.equal(await verb('reload'), 2)
    assert.equal((await daemon.status()).pid, daemon.pid)
    assert.equal(await verb('stop'), 0)
    assert.equal(await daemon.exited, 0)
    assert.equal(await verb('stop'), 2)
  })

  test('one that does not say where it runs is told its mistakes', async (t) => {
    const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES })
    const file = join(daemon.dir, 'config.json')

    for (const text of ['{ "ports": [', '{ "runtimeDir": 5 }', '{ "runtimeDir": "${NO_SUCH_VARIABLE}" }']) {
      writeFileSync(file, text)
      assert.equal((await run(t, ['status', '-c', file])).code, 2)
    }
  })
})
