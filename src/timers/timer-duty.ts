import { setTimeout as sleep } from 'node:timers/promises'
import type { TimersConfig } from '../config/work-schema.ts'
import { STOP_TIMER } from '../contracts/timer.ts'
import type { Problem } from '../errors.ts'
import type { Duty, DutyParts, DutyReport } from '../ipc/duty.ts'
import { type Clock, systemClock } from './clock.ts'
import { ScheduledTimer } from './scheduled-timer.ts'
import { type LoadedTimer, loadTimers } from './timer-class.ts'
import { timerMetrics } from './timer-metrics.ts'

/** To the timer process that comes next: what it would have run, and when. */
const DUE_TOPIC = 'timer.due'

/** What the timer process is there for: it runs every timer of the config. */
export class TimerDuty implements Duty {
  readonly #parts: DutyParts
  readonly #config: TimersConfig
  readonly #clock: Clock
  #timers: readonly ScheduledTimer[] = []
  /** By name, when the timer process before this one would have run it next. */
  #due: ReadonlyMap<string, number> = new Map()

  constructor(parts: DutyParts, clock: Clock = systemClock) {
    const { timers } = parts.config
    if (timers === undefined) throw new RangeError('A timer process needs timers in the config')
    this.#parts = parts
    this.#config = timers
    this.#clock = clock
    parts.post.on(DUE_TOPIC, (body) => void (this.#due = body as ReadonlyMap<string, number>))
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
    this.#handOn()
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

  /** In a reload this process ends before the next one begins: what is due in between is for that one. Not while it runs here: then it would be left out. */
  #handOn(): void {
    const { post } = this.#parts
    const due = new Map(this.#reports().flatMap(({ name, state, nextRunAt }) => (state === 'waiting' && nextRunAt !== undefined ? [[name, nextRunAt]] : [])))
    for (const member of post.members('timer')) if (member.owner !== post.self.owner) post.send(member, DUE_TOPIC, due)
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
      timetable: () => timetable(clock, this.#due.get(name)),
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
