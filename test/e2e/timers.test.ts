import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { DaemonProcess } from '../daemon-process.ts'
import { WebClient } from '../web-client.ts'

const PORT = { name: 'ws', protocol: 'websocket', port: 0, handler: './h.mjs' }
const HANDLER = `import { WebSocketHandler } from 'polyport'
  export default class H extends WebSocketHandler { onOpen(c) { c.join('all') } onMessage() {} }`

function timers(source: string): Record<string, string> {
  return { 'h.mjs': HANDLER, 't.mjs': `import { Timer } from 'polyport'\nimport { appendFileSync, writeFileSync } from 'node:fs'\n${source}` }
}

/** Tells when its thousandth run has begun. */
const METER = `
  let runs = 0
  export class Meter extends Timer {
    interval = 10
    run() {
      const last = Date.now()
      if (++runs === 3) this.log.info('third')
      if (runs < 1000) return
      this.stop()
      this.log.info({ last }, 'measured')
    }
  }`

describe('timers', () => {
  test('1,000 runs of 10 ms do not drift: the last is within 15 ms of its due time', async (t) => {
    const daemon = await DaemonProcess.start(t, { ports: [PORT], timers: { modules: ['./t.mjs'] } }, { files: timers(METER) })

    await daemon.line(/"msg":"third"/)
    // One moment of the timer: what has been due so far, and when the next run is.
    const early = (await daemon.status()).timers[0]
    const { last } = JSON.parse(await daemon.line(/"msg":"measured"/)) as { last: number }

    const { skipped = 0, runs, state } = (await daemon.status()).timers[0] ?? {}
    const start = Date.parse(early?.nextRunAt ?? '') - 10 * ((early?.runs ?? 0) + (early?.skipped ?? 0) + 1)
    const late = last - (start + 10 * (1000 + skipped))
    t.diagnostic(`the last of 1,000 runs began ${late.toFixed(1)} ms after its time; ${skipped} were skipped`)
    assert.ok(late >= -2 && late <= 15, `${late} ms`)
    assert.deepEqual([runs, state], [1000, 'stopped'])
  })

  test('publish to WebSocket clients, read tables, and have the daemon object in role timer', async (t) => {
    const source = `export class Tick extends Timer { interval = 50; run() { this.daemon.publish('all', this.daemon.worker.role + ' ' + this.daemon.tables.t.incr('n', 'v')) } }`
    const tables = { t: { size: 8, columns: { v: { type: 'int' } } } }
    const daemon = await DaemonProcess.start(t, { ports: [PORT], workers: 2, tables, timers: { modules: ['./t.mjs'] } }, { files: timers(source) })
    const { host, port } = await daemon.address('ws')

    const client = await WebClient.open(t, `ws://${host}:${port}/`)

    const [, first] = /^timer (\d+)$/.exec(String(await client.next())) ?? []
    assert.equal(await client.next(), `timer ${Number(first) + 1}`)
  })

  test('one that throws is logged with its class, counted, and goes on; others do not notice', async (t) => {
    const source = `
      export class Bad extends Timer { interval = 20; n = 0; run() { if (++this.n === 3) this.log.info('third'); throw new RangeError('broken') } }
      export class Late extends Timer { interval = 20; n = 0; async run() { if (++this.n === 3) this.log.info('third'); throw new RangeError('rejected') } }`
    const daemon = await DaemonProcess.start(t, { ports: [PORT], timers: { modules: ['./t.mjs'] } }, { files: timers(source) })

    await daemon.line(/"timer":"Bad".*third/)
    await daemon.line(/"timer":"Late".*third/)

    assert.match(await daemon.line(/Timer Bad failed/), /RangeError: broken/)
    assert.match(await daemon.line(/Timer Late failed/), /RangeError: rejected/)
    const metrics = await daemon.metrics()
    const [, errors] = /polyport_timer_errors_total\{timer="Bad"\} (\d+)/.exec(metrics) ?? []
    const [, count] = /polyport_timer_duration_seconds_count\{timer="Late"\} (\d+)/.exec(metrics) ?? []
    assert.ok(Number(errors) >= 2, metrics)
    assert.ok(Number(count) >= 2)
    assert.match(metrics, /polyport_timer_runs_total\{timer="Bad"\} \d+\n/)
    assert.match(metrics, /polyport_timer_skipped_total\{timer="Bad"\} \d+\n/)
  })

  test('never overlap themselves: what is due meanwhile is skipped and counted', async (t) => {
    const source = `
      let running = 0, most = 0, runs = 0
      export class Slow extends Timer {
        interval = 20
        async run() {
          most = Math.max(most, ++running)
          await new Promise((resolve) => setTimeout(resolve, 70))
          running--
          if (++runs === 5) this.log.info({ most }, 'five')
        }
      }`
    const daemon = await DaemonProcess.start(t, { ports: [PORT], timers: { modules: ['./t.mjs'] } }, { files: timers(source) })

    assert.match(await daemon.line(/"msg":"five"/), /"most":1,/)
    const {
      timers: [slow],
    } = await daemon.status()
    assert.ok((slow?.skipped ?? 0) >= 8, JSON.stringify(slow))
  })

  test('take their parameters from the config, and are shown with them', async (t) => {
    const source = `
      export class Tick extends Timer { interval = 100_000; run() { this.log.info({ options: this.options }, 'ran') } }
      export class Off extends Timer { interval = 5; run() { this.log.info('off') } }
      export class Cron extends Timer { schedule = '0 3 * * *'; timezone = 'Europe/Berlin'; run() {} }`
    const jobs = [
      { class: 'Tick', interval: 50, options: { to: 'x' } },
      { class: 'Off', enabled: false },
    ]
    const daemon = await DaemonProcess.start(t, { ports: [PORT], timers: { modules: ['./t.mjs'], jobs } }, { files: timers(source) })

    assert.match(await daemon.line(/"msg":"ran"/), /"options":\{"to":"x"\}/)

    const status = await daemon.status()
    assert.deepEqual(
      status.timers.map(({ name, when, state }) => [name, when, state]),
      [
        ['Cron', '0 3 * * * (Europe/Berlin)', 'waiting'],
        ['Tick', 'every 50 ms', 'waiting'],
      ],
    )
    assert.match(status.timers[0]?.nextRunAt ?? '', /T0[12]:00:00\.000Z$/)
    assert.ok(!daemon.lines.some((line) => line.includes('"msg":"off"')))
  })

  test('survive a reload by starting anew, once: never two generations at the same moment', async (t) => {
    const source = (generation: number): string => `
      const note = (what) => appendFileSync(new URL('runs.txt', import.meta.url), ${generation} + ' ' + what + '\\n')
      export class Slow extends Timer {
        interval = 10
        async run() {
          note('begin')
          await new Promise((resolve) => setTimeout(resolve, 300))
          note('end')
          this.log.info({ generation: ${generation} }, 'ran')
        }
      }`
    const daemon = await DaemonProcess.start(t, { ports: [PORT], timers: { modules: ['./t.mjs'] } }, { files: timers(source(1)) })
    await daemon.line(/"generation":1/)
    writeFileSync(join(daemon.dir, 't.mjs'), timers(source(2))['t.mjs'] ?? '')

    assert.equal((await daemon.request('POST', '/api/reload')).status, 200)
    await daemon.line(/"generation":2/)

    const runs = readFileSync(join(daemon.dir, 'runs.txt'), 'utf8').trim().split('\n')
    for (let i = 0; i + 1 < runs.length; i += 2)
      assert.deepEqual(
        [runs[i], runs[i + 1]].map((line) => line?.split(' ')[1]),
        ['begin', 'end'],
        runs.join(),
      )
    assert.deepEqual(
      runs.map((line) => line[0]),
      [...runs.map((line) => line[0])].sort(),
      'the second begins when the first has ended',
    )
  })

  test('a reload waits `maxWaitSeconds` for a run, and no longer', async (t) => {
    const source = `export class Stuck extends Timer { interval = 10; async run() { this.log.info('begun'); await new Promise(() => {}) } }`
    const config = { ports: [PORT], timers: { modules: ['./t.mjs'], maxWaitSeconds: 0.1 } }
    const daemon = await DaemonProcess.start(t, config, { files: timers(source) })
    await daemon.line(/"msg":"begun"/)

    await daemon.request('POST', '/api/reload')

    assert.match(await daemon.line(/Timer is not done in time/), /"timer":"Stuck"/)
    const begun = async (): Promise<number> => daemon.lines.filter((line) => line.includes('"msg":"begun"')).length
    while ((await begun()) < 2) await daemon.status()
    assert.equal(await daemon.stop(), 0)
  })

  test('the timer process starts again when it dies', async (t) => {
    const source = `export class Tick extends Timer { interval = 20; run() { this.log.info('tick') } }`
    const daemon = await DaemonProcess.start(t, { ports: [PORT], timers: { modules: ['./t.mjs'] } }, { files: timers(source) })
    const before = (await daemon.status()).timers[0]?.pid ?? 0

    process.kill(before, 'SIGKILL')
    await daemon.line(/Process died/)

    const ticked = await daemon.line(new RegExp(`"pid":(?!${before},)\\d+.*"msg":"tick"`))
    assert.notEqual((JSON.parse(ticked) as { pid: number }).pid, before)
    assert.match(await daemon.metrics(), /polyport_process_restarts_total\{process="timer"\} 1\n/)
  })

  test('a timer that does not come back for `stuckSeconds` is killed with its process, and all begin anew', async (t) => {
    const source = `
      import { existsSync } from 'node:fs'
      const once = new URL('once.txt', import.meta.url)
      export class Stuck extends Timer {
        interval = 20
        run() {
          if (existsSync(once)) return
          writeFileSync(once, '')
          for (;;);
        }
      }
      export class Tick extends Timer { interval = 20; run() { if (existsSync(once)) this.log.info('tick') } }`
    const daemon = await DaemonProcess.start(t, { ports: [PORT], stuckSeconds: 7, timers: { modules: ['./t.mjs'] } }, { files: timers(source) })

    assert.match(await daemon.line(/Timer process is stuck/), /"process":"timer"/)
    await daemon.line(/"msg":"tick"/)
  })

  test('have a title, and do not start when one of them cannot be used', async (t) => {
    const good = await DaemonProcess.start(
      t,
      { name: 'shop', ports: [PORT], timers: { modules: ['./t.mjs'] } },
      { files: timers('export class A extends Timer { interval = 1e6; run() {} }') },
    )
    const bad = DaemonProcess.spawn(t, { ports: [PORT], timers: { modules: ['./t.mjs'] } }, { files: timers('export class A extends Timer { run() {} }') })

    assert.equal(await bad.exited, 2)

    assert.match(bad.lines.join('\n'), /t\.mjs: timers\.modules\[0\]: timer A: there is neither interval nor schedule, expected one of them/)
    const title = readFileSync(`/proc/${(await good.status()).timers[0]?.pid}/cmdline`, 'utf8')
    assert.match(title, /^polyport: timer shop/)
  })

  test('a reload to one that cannot be used changes nothing', async (t) => {
    const source = `export class Tick extends Timer { interval = 20; run() { this.log.info('tick') } }`
    const daemon = await DaemonProcess.start(t, { ports: [PORT], timers: { modules: ['./t.mjs'] } }, { files: timers(source) })
    const before = (await daemon.status()).timers[0]?.pid
    writeFileSync(join(daemon.dir, 't.mjs'), 'export const a = 1')

    const { status, body } = await daemon.request('POST', '/api/reload')

    assert.ok(status >= 400)
    assert.match(body, /there is no timer/)
    assert.equal((await daemon.status()).timers[0]?.pid, before)
  })
})
