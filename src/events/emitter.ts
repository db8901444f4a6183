import type { EventsConfig } from '../config/task-schema.ts'
import { type AsyncEvent, EVENT, type Events } from '../contracts/event.ts'
import type { DeliverOptions } from '../contracts/task.ts'
import { shows } from '../shows.ts'

/** How a listener's work is handed over: the deliverer of tasks. */
export interface ListenerTasks {
  encode(value: unknown, name: string): Buffer
  handListener(className: string, eventName: string, data: Buffer, options: DeliverOptions): Promise<number>
}

/** `daemon.events`: every listener of an event gets it as a task of its own. */
export class Emitter implements Events {
  static {
    shows(Emitter, 'Events', [])
  }

  readonly #listeners: EventsConfig['listeners']
  readonly #tasks: ListenerTasks
  /** Whether an event is known here; asked for where the modules of `events` are loaded. */
  knows: (eventName: string) => boolean = () => true

  constructor(parts: { config: EventsConfig; tasks: ListenerTasks }) {
    this.#listeners = parts.config.listeners
    this.#tasks = parts.tasks
  }

  async emit(event: AsyncEvent, options: DeliverOptions = {}): Promise<number[]> {
    const name = this.#nameOf(event)
    const listeners = Object.hasOwn(this.#listeners, name) ? (this.#listeners[name] ?? []) : []
    if (listeners.length === 0) return []
    const data = this.#tasks.encode(event.data, 'data')
    // Async: when one is refused at once, those before it have been handed over, and may be refused later.
    return Promise.all(listeners.map(async (listener) => this.#tasks.handListener(listener, name, data, options)))
  }

  #nameOf(event: AsyncEvent): string {
    const type = (event as { constructor?: { readonly name?: unknown; readonly [EVENT]?: unknown } } | undefined)?.constructor
    if (type?.[EVENT] !== true || typeof type.name !== 'string') throw new TypeError('Cannot emit this: expected an object of a class that extends AsyncEvent')
    if (!this.knows(type.name)) throw new TypeError(`Cannot emit ${type.name}: no module of "events" exports a class of this name`)
    return type.name
  }
}
