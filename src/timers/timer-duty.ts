import { setTimeout as sleep } from 'node:timers/promises'
import type { TimersConfig } from '../config/work-schema.ts'
import { STOP_TIMER } from '../contracts/timer.ts'
import type { Problem } from '../errors.ts'
import type { Duty, DutyParts, DutyReport } from '../ipc/duty.ts'
import { type Clock, systemClock } from './clock.ts'
import { ScheduledTimer } from './scheduled-timer.ts'
import { type LoadedTimer, loadTimers } from './timer-class.ts'
import { timerMetrics } from './timer-metrics.ts'

/** What the timer process is there for: it runs every timer of the config. */
export class TimerDuty implements Duty {
  readonly #parts: DutyParts
  readonly #config: TimersConfig
  readonly #clock: Clock
  #timers: readonly ScheduledTimer[] = []

  constructor(parts: DutyParts, clock: Clock = systemClock) {
    const { timers } = parts.config
    if (timers === undefined) throw new RangeError('A timer process needs timers in the config')
    this.#parts = parts
    this.#config = timers
    this.#clock = clock
  }

  async load(): Promise<readonly Problem[]> {
    const { timers, problems } = await loadTimers(this.#parts.config)
    if (problems.length === 0) this.#timers = timers.map((timer) => this.#schedule(timer))
    return problems
  }

  async start(): Promise<void> {
    for (const timer of this.#timers) timer.start()
  }

  leave(): Promise<void> {
    return this.stop(this.#config.maxWaitSeconds)
  }

  async stop(maxWaitSeconds: number): Promise<void> {
    for (const timer of this.#timers) timer.stop()
    const seconds = Math.min(maxWaitSeconds, this.#config.maxWaitSeconds)
    const limit = new AbortController()
    const isDone = await Promise.race([
      Promise.all(this.#timers.map((timer) => timer.whenIdle())).then(() => true),
      sleep(seconds * 1000, false, { signal: limit.signal }).catch(() => false),
    ])
    limit.abort()
    if (isDone) return
    for (const { name, state } of this.#reports()) {
      if (state === 'running') this.#parts.log.warn({ timer: name, maxWaitSeconds: seconds }, 'Timer is not done in time: its run is given up')
    }
  }

  report(): DutyReport {
    const reports = this.#reports()
    const iso = (time: number | undefined): string | null => (time === undefined ? null : new Date(time).toISOString())
    return {
      metrics: timerMetrics(reports),
      status: reports.map(({ seconds: _, lastRunAt, nextRunAt, ...report }) => ({ ...report, lastRunAt: iso(lastRunAt), nextRunAt: iso(nextRunAt) })),
    }
  }

  #reports(): ReturnType<ScheduledTimer['report']>[] {
    return this.#timers.map((timer) => timer.report())
  }

  #schedule({ name, timer, options, when, immediate, overlap, timetable }: LoadedTimer): ScheduledTimer {
    const log = this.#parts.log.child({ timer: name })
    const clock = this.#clock
    const scheduled = new ScheduledTimer({
      name,
      when,
      immediate,
      overlap,
      clock,
      timetable: () => timetable(clock),
      run: () => timer.run(),
      onError: (error) => log.error({ err: error }, `Timer ${name} failed`),
    })
    Object.defineProperties(timer, {
      daemon: { value: this.#parts.daemon },
      options: { value: options },
      log: { value: log },
      [STOP_TIMER]: { value: () => scheduled.stop() },
    })
    return scheduled
  }
}
