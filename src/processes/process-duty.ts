import { setTimeout as sleep } from 'node:timers/promises'
import type { ProcessConfig } from '../config/work-schema.ts'
import type { CustomProcess } from '../contracts/custom-process.ts'
import type { Problem } from '../errors.ts'
import type { Duty, DutyParts, DutyReport } from '../ipc/duty.ts'
import type { Member } from '../ipc/post.ts'
import { senderOf } from '../ipc/sender-of.ts'
import { captureOutput } from './capture-output.ts'
import { customProcessMetrics } from './custom-process-metrics.ts'
import { loadProcess } from './load-process.ts'
import { PROCESS_TOPIC } from './process-links.ts'

// What is sent to a process that waits for the one before it to end.
const MAX_HELD = 10_000
// Of one that returns at once, in the process of somebody else's.
const MIN_RESTART_MS = 100

/** What a custom process is there for: to run the user's class, and to hand it its messages. */
export class ProcessDuty implements Duty {
  readonly #parts: DutyParts
  readonly #name: string
  readonly #config: ProcessConfig
  readonly #end = new AbortController()
  readonly #started = Promise.withResolvers<void>()
  #make: (() => CustomProcess) | undefined
  #process: CustomProcess | undefined
  #run: Promise<void> | undefined
  #isLeaving = false
  /** What it has been told to do, until it has. */
  #ending: Promise<unknown> | undefined
  #held = 0
  #messages = 0
  #errors = 0
  #dropped = 0

  constructor(parts: DutyParts) {
    const { name = '' } = parts.place
    const config = parts.config.processes[name]
    if (config === undefined) throw new RangeError(`There is no process "${name}" in the config`)
    this.#parts = parts
    this.#name = name
    this.#config = config
    // Others may send before it runs: the one before it may not have ended yet.
    parts.post.on(PROCESS_TOPIC, (message, from) => void this.#take(message, from).catch(() => {}))
    parts.post.answer(PROCESS_TOPIC, (message, from) => this.#take(message, from))
  }

  async load(): Promise<readonly Problem[]> {
    const { config, log, end } = this.#parts
    // In a program of somebody else's, the output is his.
    if (this.#config.stdio === 'log' && end !== undefined) captureOutput(log)
    const { made, problems } = await loadProcess(this.#name, config)
    if (made === undefined) return problems
    this.#process = this.#equip(made)
    const type = made.constructor as new () => CustomProcess
    this.#make = () => this.#equip(new type())
    return []
  }

  async start(): Promise<void> {
    this.#run = this.#parts.end === undefined ? this.#runAgainAndAgain() : this.#runOnce().then((exitCode) => this.#ended(exitCode))
    this.#started.resolve()
  }

  leave(): Promise<void> {
    return this.#finish('onReload', this.#parts.config.maxWaitSeconds)
  }

  stop(maxWaitSeconds: number): Promise<void> {
    return this.#finish('onStop', maxWaitSeconds)
  }

  report(): DutyReport {
    const counts = { messages: this.#messages, errors: this.#errors }
    return { metrics: customProcessMetrics(this.#parts.place, counts), status: counts }
  }

  #equip(made: CustomProcess): CustomProcess {
    const { daemon, log, place } = this.#parts
    return Object.defineProperties(made, {
      daemon: { value: daemon },
      options: { value: this.#config.options },
      log: { value: log },
      name: { value: this.#name },
      index: { value: place.index },
      signal: { value: this.#end.signal },
    })
  }

  async #runOnce(): Promise<0 | 1> {
    try {
      await this.#process?.run()
      return 0
    } catch (error) {
      this.#failed(error, 'run')
      return 1
    }
  }

  #ended(exitCode: 0 | 1): void {
    // It was not asked to: the master starts another.
    if (!this.#isLeaving) this.#parts.end?.(exitCode)
    this.#isLeaving = true
  }

  /** Where it is not a process of its own. */
  async #runAgainAndAgain(): Promise<void> {
    for (;;) {
      await this.#runOnce()
      if (!this.#isLeaving) await sleep(Math.max(this.#config.restartSeconds * 1000, MIN_RESTART_MS), undefined, { signal: this.#end.signal }).catch(() => {})
      if (this.#isLeaving) return
      try {
        this.#process = this.#make?.()
      } catch (error) {
        this.#failed(error, 'constructor')
      }
    }
  }

  async #finish(hook: 'onReload' | 'onStop', maxWaitSeconds: number): Promise<void> {
    const isFirst = !this.#isLeaving
    this.#isLeaving = true
    if (isFirst && this.#run !== undefined) {
      this.#ending = Promise.all([this.#tell(hook), this.#run])
      this.#end.abort(new Error(hook === 'onReload' ? 'The process is replaced by a reload' : 'The daemon stops'))
    }
    // Also of a reload: the stop that comes meanwhile waits for the same.
    const ending = this.#ending
    if (ending === undefined) return
    const limit = new AbortController()
    const isDone = await Promise.race([ending.then(() => true), sleep(maxWaitSeconds * 1000, false, { signal: limit.signal }).catch(() => false)])
    limit.abort()
    if (!isDone) this.#parts.log.warn({ maxWaitSeconds }, 'Custom process has not returned in time: it is ended')
  }

  async #tell(hook: 'onReload' | 'onStop'): Promise<void> {
    try {
      // What ends in good order when the daemon stops does so when it is replaced.
      const name = hook === 'onReload' && this.#process?.onReload === undefined ? 'onStop' : hook
      await this.#process?.[name]?.()
    } catch (error) {
      this.#failed(error, hook)
    }
  }

  /** Hands a message to the process, and gives what it answers. @throws what that throws */
  async #take(message: unknown, from: Member): Promise<unknown> {
    if (this.#run === undefined) await this.#hold()
    this.#messages++
    try {
      if (this.#process?.onMessage === undefined) throw new TypeError(`Process "${this.#name}" has no onMessage`)
      return await this.#process.onMessage(message, senderOf(from))
    } catch (error) {
      this.#failed(error, 'onMessage')
      throw error
    }
  }

  async #hold(): Promise<void> {
    if (this.#held === MAX_HELD) {
      if (this.#dropped++ === 0) this.#parts.log.warn('More messages have come than can wait for the process to begin: dropping them')
      throw new RangeError(`Process "${this.#name}" has not begun, and ${MAX_HELD} messages wait for it`)
    }
    this.#held++
    await this.#started.promise
    this.#held--
  }

  #failed(error: unknown, method: string): void {
    this.#errors++
    this.#parts.log.error({ err: error, method }, `${this.#process?.constructor.name ?? this.#name} failed in ${method}`)
  }
}
