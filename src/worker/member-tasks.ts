import type { Config } from '../config/schema.ts'
import type { Events } from '../contracts/event.ts'
import type { Tasks } from '../contracts/task.ts'
import { QueueClosedError } from '../errors.ts'
import { Emitter } from '../events/emitter.ts'
import type { Role } from '../ipc/messages.ts'
import type { Post } from '../ipc/post.ts'
import { FdAllocator } from '../shared/fd-allocator.ts'
import type { Store } from '../shared/store.ts'
import { Deliverer } from '../tasks/deliverer.ts'
import type { TaskClasses } from '../tasks/load-task-classes.ts'

// How long a process that ends waits for the queue to have what it has delivered.
const CLOSE_MS = 2000

/** `daemon.tasks` and `daemon.events` of one process. */
export class MemberTasks {
  readonly tasks: Tasks
  readonly events: Events
  readonly #deliverer: Deliverer | undefined
  readonly #emitter: Emitter | undefined

  constructor({ config, role, post, store }: { config: Config; role: Role; post: Post; store: Store }) {
    const { tasks, events } = config
    if (tasks !== undefined && role !== 'queue') {
      this.#deliverer = new Deliverer({ config: tasks, post, ids: new FdAllocator(store, 'task') })
      if (events !== undefined) this.#emitter = new Emitter({ config: events, tasks: this.#deliverer })
    }
    this.tasks = this.#deliverer ?? NO_TASKS
    this.events = this.#emitter ?? NO_EVENTS
  }

  /** The classes are loaded in this process: others are refused when they are delivered. */
  know({ runnables, events }: TaskClasses): void {
    if (this.#deliverer !== undefined) this.#deliverer.knows = (name) => runnables.get(name)?.isListener === false
    if (this.#emitter !== undefined) this.#emitter.knows = (name) => events.has(name)
  }

  /** This process ends, as soon as what is under way has ended. */
  end(): void {
    this.#deliverer?.refuseRuns()
  }

  async close(): Promise<void> {
    await this.#deliverer?.close(CLOSE_MS)
  }
}

const NO_TASKS: Tasks = {
  deliver: () => Promise.reject(new QueueClosedError('Cannot deliver a task: the config has neither "tasks" nor "events"')),
  run: () => Promise.reject(new QueueClosedError('Cannot run a task: the config has neither "tasks" nor "events"')),
}
const NO_EVENTS: Events = { emit: () => Promise.reject(new QueueClosedError('Cannot emit an event: the config has no "events"')) }
