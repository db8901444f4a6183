import type { TasksConfig } from '../config/task-schema.ts'
import type { Daemon } from '../contracts/daemon.ts'
import type { Logger } from '../contracts/logger.ts'
import type { Post } from '../ipc/post.ts'
import type { TaskClasses } from './load-task-classes.ts'
import { QueueDoor } from './queue-door.ts'
import { type Hello, type TaskResult, TOPIC } from './task-messages.ts'
import { unpack } from './task-record.ts'
import { TaskRunner } from './task-runner.ts'

// How many calls of `finish` may wait in one worker for something of theirs.
const CONCURRENCY = 64

/** What a worker has to do with tasks: it runs `finish` of those that are done. */
export class Finishing {
  readonly #classes: TaskClasses
  readonly #door: QueueDoor
  readonly #runner: TaskRunner
  #untold: TaskResult[] = []
  #isOpen = false

  constructor(parts: { config: TasksConfig; classes: TaskClasses; post: Post; daemon: Daemon; log: Logger }) {
    const { config, classes, post, daemon, log } = parts
    this.#classes = classes
    this.#runner = new TaskRunner({ classes, concurrency: CONCURRENCY, maxPayload: config.maxPayload, daemon, log, say: (results) => this.#say(results) })
    post.on(TOPIC.finish, (body) => this.#runner.add(unpack(body as Uint8Array)))
    this.#door = new QueueDoor(post)
  }

  start(): void {
    this.#isOpen = true
    this.#door.onQueue(() => this.#hello())
  }

  /** Resolves when what is under way has ended. */
  async leave(): Promise<void> {
    if (this.#isOpen) this.#door.send(TOPIC.bye, undefined)
    this.#isOpen = false
    await this.#runner.whenIdle()
  }

  #hello(): void {
    const has = [...this.#runner.has, ...this.#untold.map(({ id }) => id)]
    const tasks = [...this.#classes.runnables.values()].filter(({ isListener }) => !isListener)
    const classes = this.#isOpen ? tasks.map(({ name }) => ({ name, concurrency: 0, timeoutMs: 0 })) : []
    this.#door.send(TOPIC.hello, { producer: 0, finish: { concurrency: CONCURRENCY, classes, has } } satisfies Hello)
    const untold = this.#untold
    this.#untold = []
    if (untold.length > 0) this.#say(untold)
  }

  #say(results: readonly TaskResult[]): void {
    if (!this.#door.send(TOPIC.finished, results)) this.#untold.push(...results)
  }
}
