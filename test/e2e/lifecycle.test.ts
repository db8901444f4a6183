import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { createDaemon } from 'polyport'
import { type DaemonOptions, DaemonProcess } from '../daemon-process.ts'
import { ROOT } from '../docs/blocks.ts'

const TEMPORARY = join(ROOT, 'test/.tmp')
const PORT = { name: 'p', protocol: 'tcp', port: 0, handler: './h.mjs' }

/** A module whose hooks write what they are told into `hooks.txt`, and one that throws in each. */
const FILES: NonNullable<DaemonOptions['files']> = {
  'hooks.mjs': `
    import { appendFileSync } from 'node:fs'
    const file = new URL('hooks.txt', import.meta.url)
    const note = (hook) => (daemon, what) => appendFileSync(file, JSON.stringify({ hook, in: daemon.worker.role + ' ' + daemon.worker.slot, ...what }) + '\\n')
    export const onDaemonStart = note('onDaemonStart')
    export const onDaemonStop = note('onDaemonStop')
    export const onWorkerStart = note('onWorkerStart')
    export const onWorkerStop = note('onWorkerStop')
    export const onWorkerError = (daemon, what) => { note('onWorkerError')(daemon, what); daemon.log.info('told') }`,
  'bad.mjs': `
    const fail = () => { throw new RangeError('no') }
    export const onDaemonStart = fail, onWorkerStop = fail
    export async function onWorkerStart() { fail() }`,
  'h.mjs': `
    import { appendFileSync } from 'node:fs'
    import { TcpHandler } from 'polyport'
    const note = (hook) => appendFileSync(new URL('hooks.txt', import.meta.url), JSON.stringify({ hook }) + '\\n')
    export default class H extends TcpHandler { onStart() { note('onStart') } onStop() { note('onStop') } onReceive() { process.kill(process.pid, 'SIGKILL') } }`,
  't.mjs': `import { Timer } from 'polyport'\nexport class T extends Timer { interval = 100_000; run() {} }`,
}

function temporary(t: TestContext, files: Record<string, string>): string {
  mkdirSync(TEMPORARY, { recursive: true })
  const folder = mkdtempSync(join(TEMPORARY, 'lifecycle-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

interface Note {
  readonly hook: string
  readonly in?: string
  readonly role?: string
  readonly slot?: number
  readonly pid?: number
  readonly code?: number | null
  readonly signal?: string | null
}

function notes(dir: string): Note[] {
  const file = join(dir, 'hooks.txt')
  if (!existsSync(file)) return []
  // It may be there and still be empty.
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line) as Note)
}

function hooks(dir: string): string[] {
  return notes(dir).map((note) => note.hook)
}

describe('lifecycle', () => {
  test('of one worker: the daemon starts first and stops last, around the hooks of the worker and of its handlers', async (t) => {
    const daemon = await DaemonProcess.start(t, { ports: [PORT], lifecycle: ['./hooks.mjs'] }, { files: FILES })

    assert.equal(await daemon.stop(), 0)

    assert.deepEqual(hooks(daemon.dir), ['onDaemonStart', 'onWorkerStart', 'onStart', 'onStop', 'onWorkerStop', 'onDaemonStop'])
  })

  test('of several processes: onDaemonStart before all else, onDaemonStop after all else, the others once in each', async (t) => {
    const config = { ports: [PORT], workers: 2, timers: { modules: ['./t.mjs'] }, lifecycle: ['./hooks.mjs'] }
    const daemon = await DaemonProcess.start(t, config, { files: FILES })
    const { workers } = await daemon.status()

    assert.equal(await daemon.stop(), 0)

    const all = notes(daemon.dir)
    const those = (hook: string): Note[] => all.filter((note) => note.hook === hook)
    assert.equal(all[0]?.hook, 'onDaemonStart')
    assert.deepEqual([all[0]?.in, all[0]?.role, all[0]?.slot, all[0]?.pid], ['worker 0', 'worker', 0, workers[0]?.pid])
    assert.equal(all.at(-1)?.hook, 'onDaemonStop')
    for (const hook of ['onWorkerStart', 'onWorkerStop']) {
      assert.deepEqual(
        those(hook)
          .map(({ role, slot }) => `${role} ${slot}`)
          .sort(),
        ['timer 0', 'worker 0', 'worker 1'],
      )
    }
    assert.equal(those('onDaemonStart').length, 1)
    assert.equal(those('onDaemonStop').length, 1)
  })

  for (const embedded of [false, true]) {
    test(`every hook, and onStart of a handler, can wait for a task to be taken${embedded ? ', with createDaemon, too' : ''}`, async (t) => {
      const files = {
        'work.mjs': `
          import { appendFileSync } from 'node:fs'
          import { Task } from 'polyport'
          export class Work extends Task { handle(hook) { appendFileSync(new URL('hooks.txt', import.meta.url), JSON.stringify({ hook }) + '\\n') } }`,
        'hooks.mjs': `
          import { Work } from './work.mjs'
          const deliver = (hook) => async ({ tasks, worker }) => { if (worker.role === 'worker') await tasks.deliver(new Work(hook)) }
          export const onDaemonStart = deliver('onDaemonStart'), onWorkerStart = deliver('onWorkerStart')
          export const onWorkerStop = deliver('onWorkerStop'), onDaemonStop = deliver('onDaemonStop')`,
        'h.mjs': `
          import { TcpHandler } from 'polyport'
          import { Work } from './work.mjs'
          export default class H extends TcpHandler { async onStart() { await this.daemon.tasks.deliver(new Work('onStart')) } onReceive() {} }`,
      }
      const config = { ports: [PORT], lifecycle: ['./hooks.mjs'], tasks: { modules: ['./work.mjs'], dataDir: './data' } }
      const start = async (dir?: string): Promise<{ dir: string; stop(): Promise<unknown> }> => {
        if (!embedded) return dir === undefined ? DaemonProcess.start(t, config, { files }) : DaemonProcess.again(t, dir)
        const folder = dir ?? temporary(t, { ...files, 'config.json': JSON.stringify({ ...config, runtimeDir: './run', log: { level: 'silent' } }) })
        const daemon = await createDaemon(join(folder, 'config.json'))
        return { dir: folder, stop: () => daemon.stop() }
      }
      const done = async (dir: string, count: number): Promise<string[]> => {
        while (hooks(dir).length < count) await new Promise((resolve) => setTimeout(resolve, 20))
        return hooks(dir)
      }

      const first = await start()
      assert.deepEqual(await done(first.dir, 3), ['onDaemonStart', 'onWorkerStart', 'onStart'])
      await first.stop()
      // What was delivered at the end is done after the next start.
      const second = await start(first.dir)
      assert.deepEqual((await done(first.dir, 8)).slice(3).toSorted(), ['onDaemonStart', 'onDaemonStop', 'onStart', 'onWorkerStart', 'onWorkerStop'])
      await second.stop()
    })
  }

  test('a reload calls the hooks of the processes, not those of the daemon', async (t) => {
    const daemon = await DaemonProcess.start(t, { ports: [PORT], lifecycle: ['./hooks.mjs'] }, { files: FILES })

    assert.equal((await daemon.request('POST', '/api/reload')).status, 200)
    await daemon.stop()

    const all = hooks(daemon.dir)
    assert.deepEqual([all.filter((hook) => hook.startsWith('onDaemon')).length, all.filter((hook) => hook === 'onWorkerStart').length], [2, 2])
    assert.equal(all.filter((hook) => hook === 'onWorkerStop').length, 2)
  })

  test('onWorkerError tells a living worker who has died, and of what', async (t) => {
    const config = { ports: [PORT], workers: 2, timers: { modules: ['./t.mjs'] }, lifecycle: ['./hooks.mjs'] }
    const daemon = await DaemonProcess.start(t, config, { files: FILES })
    const { workers, timers } = await daemon.status()
    const timer = timers[0]?.pid ?? 0

    process.kill(timer, 'SIGKILL')
    await daemon.line(/"msg":"told"/)
    process.kill(workers[0]?.pid ?? 0, 'SIGKILL')
    await daemon.line(/Worker ready/)
    await daemon.stop()

    const deaths = notes(daemon.dir).filter(({ hook }) => hook === 'onWorkerError')
    assert.deepEqual(
      deaths.map(({ role, slot, pid, code, signal }) => ({ role, slot, pid, code, signal })),
      [
        { role: 'timer', slot: 0, pid: timer, code: null, signal: 'SIGKILL' },
        { role: 'worker', slot: 0, pid: workers[0]?.pid, code: null, signal: 'SIGKILL' },
      ],
    )
  })

  test('onWorkerError is called in the next worker where there is no other', async (t) => {
    const daemon = await DaemonProcess.start(t, { ports: [PORT], lifecycle: ['./hooks.mjs'] }, { files: FILES })
    const { workers } = await daemon.status()

    process.kill(workers[0]?.pid ?? 0, 'SIGKILL')
    await daemon.line(/Worker ready/)
    await daemon.stop()

    const [death] = notes(daemon.dir).filter(({ hook }) => hook === 'onWorkerError')
    assert.deepEqual([death?.pid, death?.signal, death?.in], [workers[0]?.pid, 'SIGKILL', 'worker 0'])
  })

  test('a hook that throws is logged and counted, and stops neither the start nor the next module', async (t) => {
    const daemon = await DaemonProcess.start(t, { ports: [PORT], lifecycle: ['./bad.mjs', './hooks.mjs'] }, { files: FILES })

    const line = await daemon.line(/Lifecycle hook onWorkerStart failed/)
    const metrics = await daemon.metrics()
    assert.equal(await daemon.stop(), 0)

    assert.match(line, /RangeError/)
    assert.match(metrics, /polyport_lifecycle_errors_total\{hook="onDaemonStart"\} 1\n/)
    assert.match(metrics, /polyport_lifecycle_errors_total\{hook="onWorkerStart"\} 1\n/)
    assert.match(metrics, /polyport_lifecycle_errors_total\{hook="onDaemonStop"\} 0\n/)
    assert.deepEqual(hooks(daemon.dir), ['onDaemonStart', 'onWorkerStart', 'onStart', 'onStop', 'onWorkerStop', 'onDaemonStop'])
  })

  test('a module that exports something else does not start, and the nearest name is said', async (t) => {
    const files = { ...FILES, 'l.mjs': 'export const onWorkerStrat = () => {}, helper = 1, onDaemonStop = 2' }
    const daemon = DaemonProcess.spawn(t, { ports: [PORT], lifecycle: ['./l.mjs'] }, { files })

    assert.equal(await daemon.exited, 2)

    const said = daemon.lines.join('\n')
    assert.match(said, /lifecycle\[0\]: nothing calls onWorkerStrat, did you mean onWorkerStart\?/)
    assert.match(said, /lifecycle\[0\]: nothing calls helper, expected any of onDaemonStart, /)
    assert.match(said, /lifecycle\[0\]: onDaemonStop is a number, expected a function/)
  })

  test('createDaemon() calls them in its own process', async (t) => {
    const seen: string[] = []
    Object.assign(globalThis, { seen })
    const folder = temporary(t, {
      'h.mjs': FILES['h.mjs'] ?? '',
      'l.mjs': 'export const onDaemonStart = (d, p) => seen.push("start " + p.role), onDaemonStop = () => seen.push("stop")',
    })
    const daemon = await createDaemon({
      runtimeDir: join(folder, 'run'),
      ports: [{ protocol: 'tcp', port: 0, handler: join(folder, 'h.mjs') }],
      lifecycle: [join(folder, 'l.mjs')],
    })

    await daemon.stop()

    assert.deepEqual(seen, ['start worker', 'stop'])
  })
})
