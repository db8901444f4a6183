import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Cron } from 'croner'
import { ScheduledTimer, type ScheduledTimerParts } from '../../src/timers/scheduled-timer.ts'
import { CronTimetable, IntervalTimetable } from '../../src/timers/timetable.ts'
import { FakeClock } from './fake-clock.ts'

interface Options {
  readonly interval?: number
  readonly cron?: string
  readonly timezone?: string
  readonly immediate?: boolean
  readonly overlap?: boolean
  readonly run?: (n: number) => unknown
}

/** A timer on a clock that is moved by hand, and when it ran: milliseconds from its start, or the time of day with `cron`. */
function scheduled(clock: FakeClock, options: Options): { timer: ScheduledTimer; runs: (number | string)[]; errors: unknown[] } {
  const { interval = 1000, cron, timezone, immediate = false, overlap = false, run } = options
  const start = clock.monotonic()
  const runs: (number | string)[] = []
  const errors: unknown[] = []
  const timetable: ScheduledTimerParts['timetable'] = () =>
    cron === undefined
      ? new IntervalTimetable(clock, interval)
      : new CronTimetable(clock, new Cron(cron, { paused: true, ...(timezone !== undefined && { timezone }) }))
  const timer = new ScheduledTimer({
    name: 'T',
    when: '',
    immediate,
    overlap,
    clock,
    timetable,
    run: () => {
      runs.push(cron === undefined ? clock.monotonic() - start : clock.iso)
      return run?.(runs.length)
    },
    onError: (error) => errors.push(error),
  })
  timer.start()
  return { timer, runs, errors }
}

describe('ScheduledTimer with an interval', () => {
  test('runs at start + n · interval, and not at the start', async () => {
    const clock = new FakeClock()
    const { runs } = scheduled(clock, { interval: 250 })

    await clock.pass(1000)

    assert.deepEqual(runs, [250, 500, 750, 1000])
  })

  test('runs at the start, too, with `immediate`', async () => {
    const clock = new FakeClock()
    const { runs } = scheduled(clock, { interval: 250, immediate: true })

    await clock.pass(500)

    assert.deepEqual(runs, [0, 250, 500])
  })

  test('does not drift over 1,000 runs of 10.3 ms that are woken at whole milliseconds', async () => {
    const clock = new FakeClock()
    const { runs, timer } = scheduled(clock, { interval: 10.3 })

    await clock.pass(10_302)

    assert.equal(runs.length, 1000)
    assert.ok(Math.abs(Number(runs.at(-1)) - 10_300) <= 2)
    assert.equal(timer.report().skipped, 0)
  })

  test('skips what is due while a run is under way, and counts it', async () => {
    const clock = new FakeClock()
    const done: (() => void)[] = []
    const { runs, timer } = scheduled(clock, { interval: 100, run: () => new Promise<void>((resolve) => done.push(resolve)) })

    await clock.pass(350)
    done.shift()?.()
    await clock.pass(150)

    assert.deepEqual(runs, [100, 400])
    assert.equal(timer.report().skipped, 2)
  })

  test('lets a run begin a moment late when the one before it ends within 15 ms', async () => {
    const clock = new FakeClock()
    const done: (() => void)[] = []
    const { runs, timer } = scheduled(clock, { interval: 100, run: () => new Promise<void>((resolve) => done.push(resolve)) })

    await clock.pass(210)
    done.shift()?.()
    await clock.pass(1)

    assert.deepEqual(runs, [100, 210])
    assert.equal(timer.report().skipped, 0)
  })

  test('with `overlap` begins each run when it is due', async () => {
    const clock = new FakeClock()
    const { runs, timer } = scheduled(clock, { interval: 100, overlap: true, run: () => new Promise(() => {}) })

    await clock.pass(300)

    assert.deepEqual(runs, [100, 200, 300])
    assert.equal(timer.report().skipped, 0)
    assert.equal(timer.report().state, 'running')
  })

  test('with `overlap` has at most 1,000 runs under way', async () => {
    const clock = new FakeClock()
    const { runs, timer } = scheduled(clock, { interval: 1, overlap: true, run: () => new Promise(() => {}) })

    await clock.pass(1100)

    assert.equal(runs.length, 1000)
    assert.ok(timer.report().skipped > 80)
  })

  test('runs once for what was missed while the process was held up, and then on the old grid', async () => {
    const clock = new FakeClock()
    const { runs, timer } = scheduled(clock, { interval: 100 })

    clock.stall(1050)
    await clock.pass(200)

    assert.deepEqual(runs, [1050, 1100, 1200])
    assert.equal(timer.report().skipped, 9)
  })

  test('skips what was due during a run that held the process up', async () => {
    const clock = new FakeClock()
    const { runs, timer } = scheduled(clock, { interval: 100, run: (n) => (n === 1 ? clock.stall(250) : undefined) })

    await clock.pass(400)

    assert.deepEqual(runs, [100, 400])
    assert.equal(timer.report().skipped, 2)
  })

  test('loses no run of 10 ms when it is woken up to 15 ms late', async () => {
    const clock = new FakeClock()
    const { runs, timer } = scheduled(clock, { interval: 10 })

    clock.stall(24)
    await clock.pass(6)

    assert.deepEqual(runs, [24, 24, 30])
    assert.equal(timer.report().skipped, 0)
  })

  test('goes on after a run that throws, and after one that rejects', async () => {
    const clock = new FakeClock()
    const { runs, errors, timer } = scheduled(clock, {
      interval: 100,
      run: (n) => {
        if (n === 1) throw new Error('first')
        return n === 2 ? Promise.reject(new Error('second')) : undefined
      },
    })

    await clock.pass(300)

    assert.deepEqual(runs, [100, 200, 300])
    assert.deepEqual(
      errors.map((error) => (error as Error).message),
      ['first', 'second'],
    )
    assert.equal(timer.report().errors, 2)
  })

  test('runs no more after stop(), also when a run calls it', async () => {
    const clock = new FakeClock()
    const { runs, timer } = scheduled(clock, { interval: 100, run: (n) => n === 2 && timer.stop() })

    await clock.pass(1000)

    assert.deepEqual(runs, [100, 200])
    assert.equal(clock.numAlarms, 0)
    assert.deepEqual([timer.report().state, timer.report().nextRunAt], ['stopped', undefined])
  })

  test('whenIdle() waits for the run that is under way', async () => {
    const clock = new FakeClock()
    const done = Promise.withResolvers<void>()
    const { timer } = scheduled(clock, { interval: 100, run: () => done.promise })
    await clock.pass(100)
    let isIdle = false

    timer.stop()
    const idle = timer.whenIdle().then(() => (isIdle = true))
    await clock.pass(100)

    assert.equal(isIdle, false)
    done.resolve()
    await idle
  })

  test('report() has what it did, and when it runs next', async () => {
    const clock = new FakeClock('2026-11-27T12:00:00Z')
    const { timer } = scheduled(clock, { interval: 1000 })

    await clock.pass(1500)

    const { lastRunAt = 0, nextRunAt = 0, ...report } = timer.report()
    assert.equal(new Date(lastRunAt).toISOString(), '2026-11-27T12:00:01.000Z')
    assert.equal(new Date(nextRunAt).toISOString(), '2026-11-27T12:00:02.000Z')
    assert.deepEqual({ runs: report.runs, state: report.state, count: report.seconds.buckets[0] }, { runs: 1, state: 'waiting', count: 1 })
  })
})

describe('ScheduledTimer with a schedule', () => {
  const berlin = (cron: string): Options => ({ cron, timezone: 'Europe/Berlin' })
  const HOUR = 3_600_000

  test('runs at the times of the expression', async () => {
    const clock = new FakeClock('2026-11-27T12:03:20Z')
    const { runs } = scheduled(clock, { cron: '*/5 * * * *', timezone: 'UTC' })

    await clock.pass(HOUR / 6)

    assert.deepEqual(runs, ['2026-11-27T12:05:00.000Z', '2026-11-27T12:10:00.000Z'])
  })

  test('with `immediate` runs at the start, too', async () => {
    const clock = new FakeClock('2026-11-27T12:03:20Z')
    const { runs } = scheduled(clock, { cron: '*/5 * * * *', timezone: 'UTC', immediate: true })

    await clock.pass(HOUR / 30)

    assert.deepEqual(runs, ['2026-11-27T12:03:20.000Z', '2026-11-27T12:05:00.000Z'])
  })

  test('of every half hour keeps its distance when summer time begins', async () => {
    const clock = new FakeClock('2026-03-29T00:15:00Z')
    const { runs } = scheduled(clock, berlin('*/30 * * * *'))

    await clock.pass(2 * HOUR)

    assert.deepEqual(
      runs,
      ['00:30', '01:00', '01:30', '02:00'].map((time) => `2026-03-29T${time}:00.000Z`),
    )
  })

  test('of every half hour keeps its distance when summer time ends', async () => {
    const clock = new FakeClock('2026-10-25T00:15:00Z')
    const { runs } = scheduled(clock, berlin('*/30 * * * *'))

    await clock.pass(2 * HOUR)

    assert.deepEqual(
      runs,
      ['00:30', '01:00', '01:30', '02:00'].map((time) => `2026-10-25T${time}:00.000Z`),
    )
  })

  test('of a time that is left out runs once on that day, and at its time on the next', async () => {
    const clock = new FakeClock('2026-03-28T12:00:00Z')
    const { runs } = scheduled(clock, berlin('30 2 * * *'))

    await clock.pass(48 * HOUR)

    assert.deepEqual(runs, ['2026-03-29T01:00:00.000Z', '2026-03-30T00:30:00.000Z'])
  })

  test('of a time that comes twice runs once on that day', async () => {
    const clock = new FakeClock('2026-10-24T12:00:00Z')
    const { runs } = scheduled(clock, berlin('30 2 * * *'))

    await clock.pass(48 * HOUR)

    assert.deepEqual(runs, ['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z'])
  })

  test('runs once after the machine has slept, and counts what it missed', async () => {
    const clock = new FakeClock('2026-11-27T12:00:30Z')
    const { runs, timer } = scheduled(clock, { cron: '* * * * *', timezone: 'UTC' })

    clock.stall(10 * 60_000)
    await clock.pass(60_000)

    assert.deepEqual(runs, ['2026-11-27T12:10:30.000Z', '2026-11-27T12:11:00.000Z'])
    assert.equal(timer.report().skipped, 9)
  })

  test('of every second does not count a whole night', async () => {
    const clock = new FakeClock('2026-11-27T20:00:00Z')
    const { runs, timer } = scheduled(clock, { cron: '* * * * * *', timezone: 'UTC' })

    clock.stall(10 * HOUR)
    await clock.pass(2000)

    assert.ok(runs.length <= 3, String(runs))
    assert.equal(timer.report().skipped, 1000)
  })

  test('runs once for the times that a clock which was set forward has left out', async () => {
    const clock = new FakeClock('2026-11-27T12:00:30Z')
    const { runs } = scheduled(clock, { cron: '0 * * * *', timezone: 'UTC' })

    await clock.pass(1000)
    clock.set('2026-11-27T15:10:00Z')
    await clock.pass(60_000)

    assert.equal(runs.length, 1)
  })

  test('goes on when the clock is set back by a year', async () => {
    const clock = new FakeClock('2026-11-27T12:00:30Z')
    const { runs } = scheduled(clock, { cron: '* * * * *', timezone: 'UTC' })

    await clock.pass(1000)
    clock.set('2025-11-27T12:00:40Z')
    await clock.pass(2 * 60_000)

    // It is noticed within a minute.
    assert.deepEqual(runs, ['2025-11-27T12:02:00.000Z'])
  })

  test('stops by itself when no time is left', async () => {
    const clock = new FakeClock('2026-11-27T12:00:30Z')
    const { runs, timer } = scheduled(clock, { cron: '2026-11-27T12:01:00', timezone: 'UTC' })

    await clock.pass(10 * 60_000)

    assert.deepEqual(runs, ['2026-11-27T12:01:00.000Z'])
    assert.equal(timer.report().state, 'stopped')
  })
})
