import type { Daemon } from '../contracts/daemon.ts'
import type { Logger } from '../contracts/logger.ts'
import type { TaskClasses } from './load-task-classes.ts'
import { decodePayload, encodePayload } from './payload.ts'
import type { RunningMarks } from './running-marks.ts'
import type { Runnable, RunnableObject } from './task-class.ts'
import { type TaskResult, taskError } from './task-messages.ts'
import { decodeRecord, KIND, STAGE, type TaskRecord } from './task-record.ts'

// So long tasks follow each other without the event loop in between: what they have come to is told then.
const SLICE_MS = 1
const NOTHING = Buffer.alloc(0)

export interface TaskRunnerParts {
  readonly classes: TaskClasses
  readonly concurrency: number
  readonly maxPayload: number
  readonly daemon: Daemon
  readonly log: Logger
  /** Where it is marked what runs. */
  readonly marks?: RunningMarks | undefined
  readonly say: (results: readonly TaskResult[]) => void
}

/** Runs `handle` or `finish` of tasks in this process, so many at a time, in the order in which they come. */
export class TaskRunner {
  readonly #parts: TaskRunnerParts
  readonly #logs = new Map<string, Logger>()
  readonly #running = new Set<number>()
  #waiting: Buffer[] = []
  #next = 0
  #results: TaskResult[] = []
  #isScheduled = false
  #onIdle: (() => void)[] = []
  readonly #turn = (): void => {
    this.#isScheduled = false
    if (this.#results.length === 0) return this.#run()
    this.#say()
    // What was said leaves before the next task keeps the event loop.
    this.#soon()
  }

  constructor(parts: TaskRunnerParts) {
    this.#parts = parts
  }

  add(records: readonly Buffer[]): void {
    this.#waiting = this.#waiting.slice(this.#next).concat(records)
    this.#next = 0
    this.#run()
  }

  /** Gives back what has not begun. @returns their numbers */
  recall(): number[] {
    const ids = this.#waiting.slice(this.#next).map((record) => decodeRecord(record).id)
    this.#waiting = []
    this.#next = 0
    if (this.#isIdle) this.#idle()
    return ids
  }

  /** Numbers of the tasks that are here, done ones too while that has not been told. */
  get has(): number[] {
    return [...this.#running, ...this.#waiting.slice(this.#next).map((record) => decodeRecord(record).id), ...this.#results.map(({ id }) => id)]
  }

  whenIdle(): Promise<void> {
    return this.#isIdle ? Promise.resolve() : new Promise((resolve) => this.#onIdle.push(resolve))
  }

  get #isIdle(): boolean {
    return this.#running.size === 0 && this.#next === this.#waiting.length && this.#results.length === 0
  }

  #run(): void {
    const end = performance.now() + SLICE_MS
    while (this.#running.size < this.#parts.concurrency && this.#next < this.#waiting.length) {
      if (performance.now() > end) break
      const record = decodeRecord(this.#waiting[this.#next] as Buffer)
      const type = this.#parts.classes.runnables.get(record.className)
      // The queue takes the first that it has not heard of for what runs: it must see that this one does.
      if (type?.timeoutMs !== 0 && this.#results.length > 0) break
      this.#next++
      this.#begin(record, type)
    }
    if (this.#next === this.#waiting.length && this.#next > 0) {
      this.#waiting = []
      this.#next = 0
    }
    const canGoOn = this.#running.size < this.#parts.concurrency && this.#next < this.#waiting.length
    if (canGoOn || this.#results.length > 0) this.#soon()
  }

  #soon(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(this.#turn)
  }

  #begin(record: TaskRecord, type: Runnable | undefined): void {
    const startedAt = performance.now()
    const { id } = record
    const { marks } = this.#parts
    const mark = marks?.set(id) ?? 0
    let result: unknown
    try {
      if (type === undefined) throw new TypeError(`There is no class ${record.className}`)
      result = record.stage === STAGE.handle ? this.#handle(type, record) : this.#finish(type, record)
    } catch (error) {
      this.#results.push({ id, ms: performance.now() - startedAt, error: taskError(error) })
      marks?.release(mark, { isWiped: false })
      return
    }
    if (typeof (result as PromiseLike<unknown> | undefined)?.then !== 'function') {
      this.#results.push(this.#done(type, record, startedAt, result))
      marks?.release(mark, { isWiped: false })
      return
    }
    this.#running.add(id)
    void this.#await(type, record, startedAt, result as PromiseLike<unknown>).then(() => marks?.release(mark, { isWiped: true }))
  }

  async #await(type: Runnable, record: TaskRecord, startedAt: number, promise: PromiseLike<unknown>): Promise<void> {
    const { id } = record
    let result: TaskResult
    try {
      result = this.#done(type, record, startedAt, await promise)
    } catch (error) {
      result = { id, ms: performance.now() - startedAt, error: taskError(error) }
    }
    this.#running.delete(id)
    this.#results.push(result)
    this.#soon()
  }

  #handle(type: Runnable, record: TaskRecord): unknown {
    const input = decodePayload(record.input)
    if (!type.isListener) return this.#make(type, record, input).handle(input)
    const event = this.#parts.classes.events.get(record.eventName)
    if (event === undefined) throw new TypeError(`There is no event ${record.eventName}`)
    // Not constructed: what a constructor of the user's does was done where the event was emitted.
    return this.#make(type, record, undefined).handle(Object.assign(Object.create(event.prototype as object) as object, { data: input }))
  }

  #finish(type: Runnable, record: TaskRecord): unknown {
    const input = decodePayload(record.input)
    return this.#make(type, record, input).finish?.(record.output.length === 0 ? undefined : decodePayload(record.output), input)
  }

  #make(type: Runnable, record: TaskRecord, input: unknown): RunnableObject {
    return Object.assign(type.make(input), { daemon: this.#parts.daemon, log: this.#log(type.name), id: record.id, attempt: record.attempts + 1 })
  }

  #done(type: Runnable, record: TaskRecord, startedAt: number, output: unknown): TaskResult {
    const { id, kind, stage } = record
    const isWanted = kind === KIND.run || (stage === STAGE.handle && type.hasFinish)
    try {
      const bytes = !isWanted ? undefined : output === undefined && kind === KIND.run ? NOTHING : encodePayload(output, 'output', this.#parts.maxPayload)
      return { id, ms: performance.now() - startedAt, ...(bytes !== undefined && { output: bytes }) }
    } catch (error) {
      return { id, ms: performance.now() - startedAt, error: taskError(error) }
    }
  }

  #log(className: string): Logger {
    const known = this.#logs.get(className)
    if (known !== undefined) return known
    const log = this.#parts.log.child({ task: className })
    this.#logs.set(className, log)
    return log
  }

  #say(): void {
    if (this.#results.length === 0) return
    const results = this.#results
    this.#results = []
    this.#parts.say(results)
    if (this.#isIdle) this.#idle()
  }

  #idle(): void {
    const listeners = this.#onIdle
    this.#onIdle = []
    for (const listener of listeners) listener()
  }
}
