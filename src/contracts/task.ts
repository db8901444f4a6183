import type { Daemon } from './daemon.ts'
import type { Logger } from './logger.ts'

/** Marks a task class: also one that extends the class of another copy of this package is known by it. */
export const TASK: unique symbol = Symbol.for('polyport.task')

/**
 * Work that is put on disk and done by a task worker. Export the class from one of `tasks.modules`: it is registered by its name. Where it is
 * delivered, `new Resize(input)` only carries the input; where it runs, the class is constructed anew with that input for every run.
 * @example
 * export class Resize extends Task<{ path: string }, number> {
 *   handle({ path }: { path: string }): number { return path.length }
 * }
 */
export abstract class Task<Input = unknown, Output = unknown> {
  static readonly [TASK]: boolean = true
  /** How many of this class run at the same time, over all task workers. Unlimited when absent. */
  static readonly concurrency?: number
  /** One that runs for longer is stuck: its task worker is replaced. Milliseconds; for ever when absent. */
  static readonly timeoutMs?: number

  readonly input: Input
  /** The door to connections, users, groups, tables and further tasks. There in `handle` and `finish`. */
  declare readonly daemon: Daemon
  /** A logger that names the task. There in `handle` and `finish`. */
  declare readonly log: Logger
  /** The number that `deliver` gave. There in `handle` and `finish`. */
  declare readonly id: number
  /** 1 in the first run. There in `handle` and `finish`. */
  declare readonly attempt: number

  constructor(input: Input) {
    this.input = input
  }

  /** Runs in a task worker, at least once. What it throws ends this attempt: see `tries`. What it returns is the output. */
  abstract handle(input: Input): Output | Promise<Output>
  /** Runs in a worker once `handle` has returned, at least once: in the one that delivered the task, if it lives and is a worker. */
  finish?(output: Output, input: Input): void | Promise<void>
}

/** How a task, or what listens to an event, is to be done. */
export interface DeliverOptions {
  /** Not before so many milliseconds from now. @default 0 */
  readonly delayMs?: number
  /** How often it may end in an error before it is kept among the failed. @default 1 */
  readonly tries?: number
  /** The pause before the second attempt, in milliseconds; twice as long before each further one, and up to a quarter longer by chance. @default 1000 */
  readonly backoffMs?: number
}

/** `daemon.tasks`: work for the task workers, in any process of the daemon. */
export interface Tasks {
  /**
   * Hands a task over. Resolves with its number when it is on disk: from then on it is done at least once, whatever is killed.
   * @throws TaskInputError, QueueFullError, QueueClosedError (by rejecting)
   */
  deliver(task: Task, options?: DeliverOptions): Promise<number>
  /**
   * Has a task done and resolves with what `handle` returns. It is not put on disk, has one attempt, and `finish` does not run.
   * @throws TaskFailedError, TaskTimeoutError, TaskInputError, QueueFullError, QueueClosedError (by rejecting)
   */
  run<Output>(task: Task<unknown, Output>, options?: { readonly timeoutMs?: number }): Promise<Output>
}
