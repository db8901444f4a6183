import { type ChildProcess, fork } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'
import { BindError, ConfigError } from '../errors.ts'
import type { BusPeer, ToMaster, ToWorker } from '../ipc/messages.ts'
import type { WorkerReport } from '../metrics/worker-report.ts'
import type { DatagramHandle, StreamHandle } from '../net/node-internals.ts'

const PROGRAM = new URL('../worker/worker-process.js', import.meta.url)
// What a start-up allocates mostly stays, from which V8 concludes that the same places of node's own code, process.nextTick
// above all, should allocate in the old generation. Under load that costs an http request a quarter more (measured on Node 26).
const V8_FLAGS = ['--no-allocation-site-pretenuring']
// A worker that lived this long did not die of its start: the next one begins at once.
const STEADY_MS = 5000
const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 30_000

export type SlotState = 'starting' | 'ready' | 'draining'

export interface SlotParts {
  readonly index: number
  readonly config: Config
  readonly store: string
  readonly log: Logger
  /** Different for every process of this daemon. */
  readonly nextOwner: () => number
  readonly onMessage: (slot: Slot, message: ToMaster) => void
  /** Its process has ended, with this owner number; another begins by itself unless the slot stops. */
  readonly onExit: (slot: Slot, owner: number) => void
}

/** The place of one worker: starts its process, and another when that one dies. */
export class Slot {
  readonly index: number
  state: SlotState = 'starting'
  restarts = 0
  startedAt = 0
  owner = 0
  /** The last that its process told of itself. */
  report: WorkerReport | undefined
  readonly #parts: SlotParts
  #child: ChildProcess | undefined
  #deaths = 0
  #timer: NodeJS.Timeout | undefined
  #isStopping = false
  #loaded: { resolve: () => void; reject: (error: Error) => void } | undefined

  constructor(parts: SlotParts) {
    this.index = parts.index
    this.#parts = parts
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get isReady(): boolean {
    return this.state === 'ready'
  }

  get peer(): BusPeer {
    return { slot: this.index, owner: this.owner, bus: this.#bus }
  }

  get #bus(): string {
    return join(this.#parts.store, `bus-${this.owner}.sock`)
  }

  /**
   * Starts the first process. Resolves when its handlers are loaded and nothing is open yet.
   * @throws ConfigError when a handler cannot be used
   */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#loaded = { resolve, reject }
      this.#spawn()
    })
  }

  /** A message for a process that has just died is dropped: its death is handled where it is noticed. */
  send(message: ToWorker, handle?: StreamHandle | DatagramHandle): void {
    if (this.#child?.connected !== true) return
    this.#child.send(message, handle as never, (error) => {
      if (error) this.#parts.log.debug({ err: error, worker: this.index }, 'Message to a worker was lost')
    })
  }

  /** Ends the process in good order, and after `maxWaitSeconds` and a second more, anyhow. */
  async stop(maxWaitSeconds: number): Promise<void> {
    this.#isStopping = true
    clearTimeout(this.#timer)
    const child = this.#child
    if (child === undefined) return
    this.state = 'draining'
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    this.send({ type: 'stop', maxWaitSeconds })
    const timer = setTimeout(() => child.kill('SIGKILL'), (maxWaitSeconds + 1) * 1000)
    await ended
    clearTimeout(timer)
  }

  kill(): void {
    this.#isStopping = true
    clearTimeout(this.#timer)
    this.#child?.kill('SIGKILL')
  }

  #spawn(): void {
    const { config, log, store } = this.#parts
    this.state = 'starting'
    this.owner = this.#parts.nextOwner()
    this.startedAt = Date.now()
    const child = fork(PROGRAM, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [...process.execArgv, ...V8_FLAGS] })
    this.#child = child
    child.on('error', (error) => log.error({ err: error, worker: this.index }, 'Worker process failed'))
    child.on('message', (message: ToMaster) => this.#receive(message))
    child.once('exit', (code, signal) => this.#exited(code, signal))
    this.send({ type: 'start', start: { config, slot: this.index, owner: this.owner, store, bus: this.#bus } })
  }

  #receive(message: ToMaster): void {
    if (message.type === 'loaded') {
      this.#loaded?.resolve()
      this.#loaded = undefined
    } else if (message.type === 'failed') this.#failed(message)
    else if (message.type === 'ready') this.state = 'ready'
    else if (message.type === 'report') this.report = message.report
    this.#parts.onMessage(this, message)
  }

  #failed(message: Extract<ToMaster, { type: 'failed' }>): void {
    if (this.#loaded === undefined) {
      this.#child?.kill('SIGKILL')
      return
    }
    this.#loaded.reject(message.problems.length > 0 ? new ConfigError(message.problems) : new BindError(message.message))
    this.#loaded = undefined
  }

  #exited(code: number | null, signal: NodeJS.Signals | null): void {
    const { log } = this.#parts
    this.#child = undefined
    this.state = 'starting'
    void rm(this.#bus, { force: true })
    this.#loaded?.reject(new Error(`Worker ${this.index} ended before its handlers were loaded: ${signal ?? `exit code ${code}`}`))
    this.#parts.onExit(this, this.owner)
    this.report = undefined
    if (this.#isStopping || this.#loaded !== undefined) return
    const lived = Date.now() - this.startedAt
    this.#deaths = lived >= STEADY_MS ? 0 : this.#deaths + 1
    const delay = this.#deaths <= 1 ? 0 : Math.min(FIRST_DELAY_MS * 2 ** (this.#deaths - 2), LONGEST_DELAY_MS)
    this.restarts++
    log.error({ worker: this.index, code, signal, delayMs: delay }, 'Worker died: starting another')
    this.#timer = setTimeout(() => this.#spawn(), delay)
  }
}
