import type { Daemon } from './daemon.ts'
import type { Logger } from './logger.ts'
import type { DeliverOptions } from './task.ts'

/** Marks an event class: also one that extends the class of another copy of this package is known by it. */
export const EVENT: unique symbol = Symbol.for('polyport.event')

/**
 * Something that has happened. Export the class from one of `events.modules`; `events.listeners` of the config names who listens.
 * @example
 * export class Saved extends AsyncEvent<{ id: number }> {}
 */
export abstract class AsyncEvent<Data = unknown> {
  static readonly [EVENT]: boolean = true
  readonly data: Data

  constructor(data: Data) {
    this.data = data
  }
}

/**
 * What listens to an event: an exported class of one of `events.modules`, which need not extend anything. It is constructed anew for every
 * event, and runs in a task worker as a task of its own.
 */
export interface EventListener<Event extends AsyncEvent = AsyncEvent> {
  daemon?: Daemon
  log?: Logger
  handle(event: Event): unknown
}

/** `daemon.events`. */
export interface Events {
  /**
   * Hands an event to each of its listeners, as a task of its own. Resolves with their numbers when all are on disk.
   * @throws TaskInputError, QueueFullError, QueueClosedError, TypeError for an event that the config does not know (by rejecting)
   */
  emit(event: AsyncEvent, options?: DeliverOptions): Promise<number[]>
}
