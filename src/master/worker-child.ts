import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { located } from '../config/located.ts'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'
import { BindError, ConfigError, StartError } from '../errors.ts'
import type { BusPeer, DealtNote, MoveNote, Place, ToMaster, ToWorker } from '../ipc/messages.ts'
import { placeText } from '../ipc/place.ts'
import type { WorkerReport } from '../metrics/worker-report.ts'
import { HandleLine } from '../net/handle-line.ts'
import { type DatagramHandle, identityOf, type StreamHandle } from '../net/node-internals.ts'
import { withoutKeys } from './certificates.ts'
import { forkChild } from './fork-child.ts'
import { notePath, noteProcess } from './leftovers.ts'
import type { Account } from './privileges.ts'
import { LAST_SECONDS } from './stop-time.ts'
import { strippedCode } from './stripped-code.ts'

const LAST_WORDS_MS = 1000
// Long enough that the clients of one worker, all at once, are no burst. A stop spreads only when the config says so: there is nothing to come back to.
const SPREAD_SECONDS = 10
// Ten thousand connections move in 3 s, on a machine that has nothing else to do.
const MOVES_SECONDS = 10

export type WorkerState = 'starting' | 'ready' | 'draining'

export interface WorkerChildParts {
  readonly place: Place
  readonly owner: number
  readonly config: Config
  /** Of the daemon. */
  readonly isFirst: boolean
  /** The folder of the shared memory. */
  readonly store: string
  readonly log: Logger
  /** Who the process is to run as, if not as the master does. Node also takes all further groups from it. */
  readonly account?: Account | undefined
  readonly onMessage: (child: WorkerChild, message: ToMaster, handle: StreamHandle | undefined) => void
  readonly onExit: (child: WorkerChild, code: number | null, signal: NodeJS.Signals | null) => void
}

interface Milestone {
  readonly reached: Promise<void>
  readonly reach: () => void
  readonly fail: (error: Error) => void
}

/** One process that the master has started: a worker, or another of its children. */
export class WorkerChild {
  readonly place: Place
  /** Different for every process of this daemon. */
  readonly owner: number
  readonly config: Config
  readonly startedAt: number = Date.now()
  state: WorkerState = 'starting'
  /** The last that it told of itself. */
  report: WorkerReport | undefined
  /** When it last said anything, in `performance.now()` milliseconds. */
  heardAt: number = performance.now()
  /** The owners that its connections move to. */
  heirs: readonly number[] = []
  /** Another one has its place. */
  isLeaving = false
  /** It has said that it cannot start, or has ended by itself before it could. */
  hasFailed = false
  readonly #child: ChildProcess
  readonly #line: HandleLine
  readonly #log: Logger
  readonly #bus: string
  readonly #note: string
  readonly #onExit: WorkerChildParts['onExit']
  readonly #loaded: Milestone = milestone()
  readonly #ready: Milestone = milestone()
  readonly #left: Milestone = milestone()
  readonly #ended: Milestone = milestone()
  /** Of what was sent and has not left this process: a handle waits until the child has taken the one before. */
  readonly #unsent = new Set<() => void>()
  readonly #questions = new Map<number, { readonly resolve: (answer: unknown) => void; readonly reject: (error: Error) => void }>()
  #lastQuestion = 0
  #isOnBus = false
  #hasEnded = false

  constructor(parts: WorkerChildParts) {
    const { place, owner, config, store, log } = parts
    const what = placeText(place)
    this.place = place
    this.owner = owner
    this.config = config
    this.#log = log
    this.#bus = join(store, `bus-${owner}.sock`)
    this.#note = notePath(store, owner)
    this.#onExit = parts.onExit
    this.#child = forkChild(place, { account: parts.account, workers: config.workers })
    this.#line = new HandleLine(this.#child)
    noteProcess(store, owner, this.#child.pid)
    this.#child.on('error', (error) => {
      log.error({ err: error, process: what }, 'Process failed')
      // It could not even begin (EAGAIN, EMFILE: no more processes or descriptors): Node tells of no exit then.
      if (this.#child.pid === undefined) this.#exited(1, null)
    })
    this.#child.on('message', (message: ToMaster, handle: unknown) => {
      this.#receive(message)
      parts.onMessage(this, message, handle as StreamHandle | undefined)
    })
    this.#child.once('exit', async (code, signal) => {
      // What it said last may still be on its way.
      if (this.#child.connected) await Promise.race([once(this.#child, 'disconnect'), sleep(LAST_WORDS_MS)])
      this.#exited(code, signal)
    })
    void this.#start(parts)
  }

  async #start({ place, owner, config, isFirst, store, account }: WorkerChildParts): Promise<void> {
    // The queue runs nobody's code. The others take longer to begin than this does.
    const stripped = place.role === 'queue' ? [] : await strippedCode(config, account)
    const known = place.role === 'worker' ? config : withoutKeys(config)
    this.send({ type: 'start', start: { config: known, place, owner, isFirst, store, bus: this.#bus, stripped } })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get isReady(): boolean {
    return this.state === 'ready'
  }

  /** The slot of a worker. */
  get slot(): number {
    return this.place.index
  }

  /** Whether the others can reach it: it listens on the bus and has not ended. */
  get isOnBus(): boolean {
    return this.#isOnBus && !this.#hasEnded
  }

  get peer(): BusPeer {
    return { ...this.place, owner: this.owner, bus: this.#bus, heirs: this.heirs, isLeaving: this.isLeaving }
  }

  /** Resolves when its handlers are loaded, and nothing is open yet. @throws ConfigError when one cannot be used */
  get loaded(): Promise<void> {
    return this.#loaded.reached
  }

  /** Resolves when all of its ports are open. @throws BindError */
  get ready(): Promise<void> {
    return this.#ready.reached
  }

  /** Resolves when all of its connections that could move have moved, or it has ended. */
  get left(): Promise<void> {
    return this.#left.reached
  }

  get ended(): Promise<void> {
    return this.#ended.reached
  }

  /** A message for a process that has just died is dropped, and answers false: its death is handled where it is noticed. */
  send(message: ToWorker, handle?: StreamHandle | DatagramHandle): boolean {
    if (!this.#child.connected) return false
    if (handle === undefined) this.#line.send(message, (error) => error && this.#lost(error))
    else this.#line.sendHandle(message, handle, { mayOverlap: false }, (error) => this.#lost(error))
    return true
  }

  /** Sends a connection that moves. `onSent` is called in any case, `onLost` when it has not got there and the process lives. */
  pass(move: MoveNote, handle: StreamHandle, { onSent, onLost }: { onSent: () => void; onLost: () => void }): boolean {
    if (!this.#child.connected) return false
    this.#unsent.add(onSent)
    const onWritten = (): void => {
      if (this.#unsent.delete(onSent)) onSent()
    }
    this.#line.sendHandle({ type: 'arrive', move } satisfies ToWorker, handle, { mayOverlap: true, onWritten, onLost }, (error) => this.#lost(error))
    return true
  }

  #exited(code: number | null, signal: NodeJS.Signals | null): void {
    this.#hasEnded = true
    if (code !== null && !this.isReady) this.hasFailed = true
    // Node drops what waits for a child that has ended, without a word: its handles would stay open here.
    for (const onSent of this.#unsent) onSent()
    this.#unsent.clear()
    for (const path of [this.#bus, this.#note]) void rm(path, { force: true })
    const what = placeText(this.place)
    const error = new StartError(`${what[0]?.toUpperCase()}${what.slice(1)} ended before it was ready: ${signal ?? `exit code ${code}`}`)
    this.#loaded.fail(error)
    this.#ready.fail(error)
    this.#left.reach()
    for (const { reject } of this.#questions.values()) reject(error)
    this.#ended.reach()
    this.#onExit(this, code, signal)
  }

  /** Deals it a connection. @param onMissed called when it has not got there; not when the process has ended with it */
  deal(note: Omit<DealtNote, 'identity'>, handle: StreamHandle, onMissed: () => void): void {
    if (!this.#child.connected) return
    const message: ToWorker = { type: 'connection', ...note, identity: identityOf(handle) }
    this.#line.sendHandle(message, handle, { mayOverlap: true, onLost: onMissed }, (error) => this.#lost(error))
  }

  #lost(error: Error): void {
    this.#log.debug({ err: error, process: placeText(this.place) }, 'Message to a process was lost')
  }

  /**
   * Ends the process in good order, and after `maxWaitSeconds` and a second more, anyhow.
   * @param others for the last process of the daemon: it is to end after them
   */
  async stop(maxWaitSeconds: number, others?: Promise<unknown>): Promise<void> {
    if (this.#hasEnded) return
    this.state = 'draining'
    this.send({ type: 'stop', maxWaitSeconds, isLast: others !== undefined })
    void others?.then(() => this.send({ type: 'last' }))
    await this.#endsWithin((maxWaitSeconds + (others === undefined ? 1 : LAST_SECONDS)) * 1000)
  }

  /** It gives its connections away; what cannot move is served for a while. */
  leave(heirs: readonly WorkerChild[]): void {
    const { maxWaitSeconds, spreadSeconds = SPREAD_SECONDS } = this.config
    const there = heirs[0]?.config.ports ?? []
    const ports = this.config.ports
      .filter(({ name, protocol, tls }) =>
        there.some((port) => port.name === name && port.protocol === protocol && (port.tls === undefined) === (tls === undefined)),
      )
      .map(({ name }) => name)
    const movesSeconds = Math.max(maxWaitSeconds, MOVES_SECONDS)
    if (this.state !== 'draining') void this.#endsAfterMoves({ movesSeconds, maxWaitSeconds })
    this.state = 'draining'
    this.send({ type: 'leave', order: { heirs: heirs.map(({ owner, slot }) => ({ owner, slot })), ports, movesSeconds, maxWaitSeconds, spreadSeconds } })
  }

  async #endsAfterMoves({ movesSeconds, maxWaitSeconds }: { movesSeconds: number; maxWaitSeconds: number }): Promise<void> {
    await Promise.race([this.left, sleep(movesSeconds * 1000, undefined, { ref: false })])
    await this.#endsWithin((maxWaitSeconds + 2) * 1000)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async #endsWithin(ms: number): Promise<void> {
    const timer = setTimeout(() => this.kill(), ms)
    await this.ended
    clearTimeout(timer)
  }

  /** Asks its duty. @throws Error with what it throws, or when it is not there or ends meanwhile */
  ask(question: unknown): Promise<unknown> {
    const id = ++this.#lastQuestion
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#questions.set(id, { resolve, reject })
    if (!this.send({ type: 'ask', id, question })) this.#answered({ id, error: `${placeText(this.place)} is not there` })
    return promise
  }

  #answered({ id, answer, error }: { id: number; answer?: unknown; error?: string }): void {
    const question = this.#questions.get(id)
    this.#questions.delete(id)
    if (error === undefined) question?.resolve(answer)
    else question?.reject(new Error(error))
  }

  #receive(message: ToMaster): void {
    this.heardAt = performance.now()
    if (message.type === 'joined') this.#isOnBus = true
    else if (message.type === 'loaded') this.#loaded.reach()
    else if (message.type === 'failed') this.#failed(message)
    else if (message.type === 'ready') {
      if (this.state === 'starting') this.state = 'ready'
      this.#ready.reach()
    } else if (message.type === 'left') this.#left.reach()
    else if (message.type === 'report') this.report = message.report
    else if (message.type === 'answered') this.#answered(message)
  }

  #failed({ problems, message }: Extract<ToMaster, { type: 'failed' }>): void {
    this.hasFailed = true
    const error = problems.length > 0 ? new ConfigError(located(problems, this.config.file)) : new BindError(message)
    this.#loaded.fail(error)
    this.#ready.fail(error)
    this.kill()
  }
}

function milestone(): Milestone {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  // Nobody may be waiting for it.
  promise.catch(() => {})
  return { reached: promise, reach: resolve, fail: reject }
}
