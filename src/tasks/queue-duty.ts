import { setTimeout as sleep } from 'node:timers/promises'
import type { TasksConfig } from '../config/task-schema.ts'
import type { Problem } from '../errors.ts'
import type { Duty, DutyParts, DutyReport } from '../ipc/duty.ts'
import type { Member } from '../ipc/post.ts'
import { FolderClaim } from '../shared/folder-claim.ts'
import { TaskStore } from '../shared/task-store.ts'
import { marksPath, takeMarks } from './running-marks.ts'
import { answerAdmin, type TaskQuestion } from './task-admin.ts'
import { type Hello, type TaskResult, TOPIC, type Welcome } from './task-messages.ts'
import { TaskQueue } from './task-queue.ts'
import { pack, RECORD_VERSION, STAGE, unpack } from './task-record.ts'
import { taskStatus } from './task-status.ts'

// A queue whose master was killed ends within a second; two on one store would each run all that is there.
const CLAIM_MS = 5000
// How long a new queue waits for task workers of the one before to say what they are at.
const GREETING_MS = 1000
// By then every process that delivers has found a new queue.
const SILENCE_MS = 60_000
const MISSING_LOOK_MS = 5000

/** The process that holds the tasks: it owns the store, and no code of the user's runs in it. */
export class QueueDuty implements Duty {
  readonly #parts: DutyParts
  readonly #config: TasksConfig
  readonly #timers: NodeJS.Timeout[] = []
  /** Those that have said who they are. */
  readonly #known = new Set<number>()
  /** Said before the queue was loaded. */
  #early: (() => void)[] = []
  #queue: TaskQueue | undefined
  #claim: FolderClaim | undefined
  #store: TaskStore | undefined
  #highest = 0
  #missing = ''

  constructor(parts: DutyParts) {
    const { tasks } = parts.config
    if (tasks === undefined) throw new TypeError('The config has no tasks')
    this.#parts = parts
    this.#config = tasks
    const { post } = parts
    const queue = (work: (queue: TaskQueue) => void): void => {
      if (this.#queue === undefined) this.#early.push(() => queue(work))
      else work(this.#queue)
    }
    post.on(TOPIC.hello, (body, from) => queue(() => this.#greet(from, body as Hello)))
    post.on(TOPIC.bye, (_, { owner }) => queue((it) => it.bid(owner)))
    post.on(TOPIC.deliver, (body, { owner }) => queue((it) => this.#deliver(it, owner, unpack(body as Uint8Array))))
    post.on(TOPIC.results, (body, { owner }) => queue((it) => it.results(owner, STAGE.handle, body as TaskResult[])))
    post.on(TOPIC.finished, (body, { owner }) => queue((it) => it.results(owner, STAGE.finish, body as TaskResult[])))
    post.on(TOPIC.returned, (body, { owner }) => queue((it) => it.returned(owner, body as number[])))
    post.on(TOPIC.forget, (body) => queue((it) => it.callers.forget(body as number[])))
    post.on(TOPIC.revoke, (body) => queue((it) => it.callers.revoke(body as number[])))
    post.onMembers(() => this.#look())
  }

  async load(): Promise<readonly Problem[]> {
    const { post, log, config, memoryDir } = this.#parts
    const { dataDir, maxQueued, maxFailed } = this.#config
    this.#claim = await FolderClaim.take(dataDir, CLAIM_MS)
    if (this.#claim === undefined)
      return [{ file: config.file, path: 'tasks.dataDir', message: `another daemon keeps its tasks in ${dataDir}, expected a folder of its own` }]
    this.#store = new TaskStore({
      dir: dataDir,
      version: RECORD_VERSION,
      onRefused: (error) => log.error({ err: error }, 'The disk does not take what becomes of tasks: it is written again and again until it does'),
    })
    const queue = new TaskQueue({
      store: this.#store,
      log,
      maxQueued,
      maxFailed,
      links: {
        give: (owner, stage, records) => post.send({ owner }, stage === STAGE.handle ? TOPIC.run : TOPIC.finish, pack(records)),
        recall: (owner) => post.send({ owner }, TOPIC.recall, undefined),
        accepted: (owner, upTo) => post.send({ owner }, TOPIC.accepted, upTo),
        refused: (owner, refused) => post.send({ owner }, TOPIC.refused, refused),
        answer: (owner, answer) => post.send({ owner }, TOPIC.answer, answer),
        ranIn: (owner) => (memoryDir === undefined ? undefined : takeMarks(marksPath(memoryDir, owner))),
        kill: (owner) => this.#kill(owner),
      },
    })
    this.#highest = queue.load()
    this.#queue = queue
    if (queue.book.size > 0) log.info({ tasks: queue.book.size }, 'Tasks are there from before')
    const early = this.#early
    this.#early = []
    for (const work of early) work()
    return []
  }

  async start(): Promise<void> {
    const queue = this.#queue
    if (queue === undefined) return
    const end = performance.now() + GREETING_MS
    // A queue that was killed: what it had given away runs, and must not be given a second time.
    while (this.#parts.post.members('task').some(({ owner }) => !this.#known.has(owner)) && performance.now() < end) await sleep(5)
    queue.start()
    this.#timers.push(
      setTimeout(() => queue.producers.forgetSilent(), SILENCE_MS),
      setInterval(() => this.#tellMissing(queue), MISSING_LOOK_MS),
    )
  }

  leave(): Promise<void> {
    return this.stop()
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    await this.#queue?.stop()
    this.#claim?.release()
  }

  report(): DutyReport {
    const queue = this.#queue
    if (queue === undefined) return { metrics: [], status: undefined }
    return { metrics: queue.stats.metrics(queue.counts(), queue.failed.size), status: taskStatus(queue) }
  }

  async ask(question: unknown): Promise<unknown> {
    if (this.#queue === undefined || this.#store === undefined) throw new Error('The queue is not there yet')
    // What has just been written is read from the disk; what that refuses is told of in the log.
    await this.#store.commit().catch(() => {})
    return answerAdmin(this.#queue, question as TaskQuestion)
  }

  #greet(from: Member, hello: Hello): void {
    this.#known.add(from.owner)
    this.#queue?.greet(from.owner, hello)
    this.#parts.post.send(from, TOPIC.welcome, { highest: this.#highest } satisfies Welcome)
  }

  /** What a process has sent may come after the news that it has ended. */
  #deliver(queue: TaskQueue, owner: number, records: readonly Buffer[]): void {
    queue.deliver(owner, records)
    if (!this.#parts.post.members().some((member) => member.owner === owner)) queue.lost(owner)
  }

  /** Somebody has come or gone. */
  #look(): void {
    const there = new Set(this.#parts.post.members().map(({ owner }) => owner))
    for (const owner of this.#known) {
      if (there.has(owner)) continue
      this.#known.delete(owner)
      this.#queue?.lost(owner)
    }
  }

  /** Where all runs in one process nothing can be killed. */
  #kill(owner: number): boolean {
    if (this.#parts.end === undefined) return false
    this.#parts.kill(owner)
    return true
  }

  #tellMissing(queue: TaskQueue): void {
    // In a stop, or after a crash of all, there is nobody who could have a class.
    if (this.#parts.post.members('task').length === 0) return
    const missing = queue.missing().sort().join(', ')
    if (missing !== this.#missing && missing !== '') this.#parts.log.warn(`Tasks wait for a class that no module exports: ${missing}`)
    this.#missing = missing
  }
}
