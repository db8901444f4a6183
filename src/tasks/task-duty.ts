import type { TasksConfig } from '../config/task-schema.ts'
import type { Problem } from '../errors.ts'
import type { Duty, DutyParts, DutyReport } from '../ipc/duty.ts'
import { inTime } from '../modules/in-time.ts'
import { loadTaskClasses, type TaskClasses } from './load-task-classes.ts'
import { QueueDoor } from './queue-door.ts'
import { marksPath, RunningMarks } from './running-marks.ts'
import { type Hello, type TaskResult, TOPIC } from './task-messages.ts'
import { unpack } from './task-record.ts'
import { TaskRunner } from './task-runner.ts'

/** A task worker: it runs what the queue gives it. */
export class TaskDuty implements Duty {
  readonly #parts: DutyParts
  readonly #config: TasksConfig
  readonly #door: QueueDoor
  #classes: TaskClasses = { runnables: new Map(), events: new Map() }
  #runner: TaskRunner | undefined
  /** What could not be told, as there was no queue. */
  #untold: TaskResult[] = []
  #isOpen = false

  constructor(parts: DutyParts) {
    const { tasks } = parts.config
    if (tasks === undefined) throw new TypeError('The config has no tasks')
    this.#parts = parts
    this.#config = tasks
    const { post } = parts
    post.on(TOPIC.run, (body) => this.#runner?.add(unpack(body as Uint8Array)))
    post.on(TOPIC.recall, () => this.#return())
    this.#door = new QueueDoor(post)
  }

  async load(): Promise<readonly Problem[]> {
    const { problems, ...classes } = await loadTaskClasses(this.#parts.config)
    this.#classes = classes
    const { daemon, log } = this.#parts
    const { concurrency, maxPayload } = this.#config
    this.#runner = new TaskRunner({ classes, concurrency, maxPayload, daemon, log, marks: this.#marks(concurrency), say: (results) => this.#say(results) })
    if (problems.length === 0) this.#door.onQueue(() => this.#hello())
    return problems
  }

  async start(): Promise<void> {
    this.#isOpen = true
    this.#hello()
  }

  async leave(): Promise<void> {
    this.#isOpen = false
    this.#door.send(TOPIC.bye, undefined)
    this.#return()
    await this.#runner?.whenIdle()
  }

  async stop(maxWaitSeconds: number): Promise<void> {
    await inTime(maxWaitSeconds * 1000, this.leave())
  }

  report(): DutyReport {
    return { metrics: [], status: { tasks: this.#runner?.has.length ?? 0 } }
  }

  /** Where all runs in one process nothing is left to ask for them when it is killed. */
  #marks(concurrency: number): RunningMarks | undefined {
    const { memoryDir, post, log } = this.#parts
    if (memoryDir === undefined) return undefined
    try {
      return new RunningMarks(marksPath(memoryDir, post.self.owner), concurrency)
    } catch (error) {
      log.warn({ err: error }, 'Cannot mark which tasks run: should this process be killed, each that it had is run alone')
      return undefined
    }
  }

  /** Also before there is anything to do: a queue that takes the place of one that died waits to hear what runs here. */
  #hello(): void {
    const runner = this.#runner
    if (runner === undefined) return
    const has = [...runner.has, ...this.#untold.map(({ id }) => id)]
    const classes = this.#isOpen ? [...this.#classes.runnables.values()].map(({ name, concurrency, timeoutMs }) => ({ name, concurrency, timeoutMs })) : []
    this.#door.send(TOPIC.hello, { producer: 0, handle: { concurrency: this.#config.concurrency, classes, has } } satisfies Hello)
    const untold = this.#untold
    this.#untold = []
    if (untold.length > 0) this.#say(untold)
  }

  #say(results: readonly TaskResult[]): void {
    if (!this.#door.send(TOPIC.results, results)) this.#untold.push(...results)
  }

  #return(): void {
    const ids = this.#runner?.recall() ?? []
    if (ids.length > 0) this.#door.send(TOPIC.returned, ids)
  }
}
