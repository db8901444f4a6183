import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { type ConfigInput, createDaemon } from 'polyport'
import { Client, DaemonProcess } from '../daemon-process.ts'
import { ROOT } from '../docs/blocks.ts'

const TEMPORARY = join(ROOT, 'test/.tmp')

/** A line `go` is answered once by each kind of process, by way of each other kind. */
const FILES: Record<string, string> = {
  'h.mjs': `
    import { TcpHandler } from 'polyport'
    import { Push } from './work.mjs'
    export default class H extends TcpHandler {
      onStart() { this.daemon.workers.onMessage(({ fd, text }, from) => this.daemon.send(fd, text + ' by way of ' + from.role)) }
      async onReceive(connection) {
        const { fd } = connection
        this.daemon.tables.asked.set(String(fd), { fd })
        await this.daemon.tasks.deliver(new Push(fd))
        connection.send('worker: ' + (await this.daemon.processes.echo.request('hello')))
      }
    }`,
  'work.mjs': `
    import { Task, Timer } from 'polyport'
    export class Push extends Task {
      async handle(fd) {
        this.daemon.send(fd, 'task: ' + (await this.daemon.processes.echo.request('hello')))
        return fd
      }
      finish(fd) { this.daemon.send(fd, 'finish: done') }
    }
    export class Look extends Timer {
      interval = 20
      async run() {
        for (const [key, { fd }] of [...this.daemon.tables.asked.entries()]) {
          this.daemon.tables.asked.del(key)
          this.daemon.send(fd, 'timer: ' + (await this.daemon.processes.echo.request('hello')))
          this.daemon.processes.echo.send({ fd })
          this.daemon.workers.sendTo(0, { fd, text: 'message' })
        }
      }
    }`,
  'echo.mjs': `
    import { once } from 'node:events'
    import { CustomProcess } from 'polyport'
    import { Push } from './work.mjs'
    export default class Echo extends CustomProcess {
      async run() { await once(this.signal, 'abort') }
      onMessage(message, from) {
        if (message.fd === undefined) return message + ' ' + from.role
        this.daemon.send(message.fd, 'process: sent')
        this.daemon.workers.sendTo(0, { fd: message.fd, text: 'news' })
        return this.daemon.tasks.deliver(new Push(message.fd))
      }
    }`,
}

const PORT = { name: 'p', protocol: 'tcp' as const, port: 0, handler: './h.mjs' }
const CONFIG = {
  tables: { asked: { size: 16, columns: { fd: { type: 'int' as const } } } },
  timers: { modules: ['./work.mjs'] },
  tasks: { modules: ['./work.mjs'], dataDir: './data' },
  processes: { echo: { module: './echo.mjs' } },
}

/** What `go` brings, in any order. `createDaemon` has but one process: all say that they are the worker. */
async function talk(t: TestContext, where: { host: string; port: number }, isAnswer: (text: string) => boolean): Promise<string[]> {
  const client = await Client.open(where)
  t.after(() => client.socket.destroy())
  client.write('go\r\n')
  while (!isAnswer(client.text)) await client.until(client.received.length + 1)
  return client.text.trim().split('\r\n').sort()
}

const isAll = (text: string): boolean => text.split('\r\n').length === 10

describe('all kinds of processes have the same daemon object', () => {
  test('and reach connections, tables, tasks, processes and workers from each', async (t) => {
    const daemon = await DaemonProcess.start(t, { ports: [PORT], ...CONFIG }, { files: FILES })

    assert.deepEqual(await talk(t, await daemon.address('p'), isAll), [
      'finish: done',
      'finish: done',
      'message by way of timer',
      'news by way of process',
      'process: sent',
      'task: hello task',
      'task: hello task',
      'timer: hello timer',
      'worker: hello worker',
    ])
    assert.equal(await daemon.stop(), 0)
  })

  test('also in createDaemon(), where all of them play in the process of the caller', async (t) => {
    mkdirSync(TEMPORARY, { recursive: true })
    const dir = mkdtempSync(join(TEMPORARY, 'together-'))
    t.after(() => rmSync(dir, { recursive: true, force: true }))
    for (const [name, text] of Object.entries(FILES)) writeFileSync(join(dir, name), text)
    const config: ConfigInput = { runtimeDir: './run', log: { level: 'silent' }, ports: [PORT], ...CONFIG }
    writeFileSync(join(dir, 'config.json'), JSON.stringify(config))
    const daemon = await createDaemon(join(dir, 'config.json'))
    t.after(() => daemon.stop())
    const [host = '', port] = daemon.ports[0]?.address.split(':') ?? []

    const said = await talk(t, { host, port: Number(port) }, isAll)

    assert.deepEqual(said, [
      'finish: done',
      'finish: done',
      'message by way of worker',
      'news by way of worker',
      'process: sent',
      'task: hello worker',
      'task: hello worker',
      'timer: hello worker',
      'worker: hello worker',
    ])
    await daemon.stop()
  })
})
