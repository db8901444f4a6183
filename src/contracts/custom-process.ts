import type { Daemon } from './daemon.ts'
import type { Logger } from './logger.ts'
import type { Sender } from './sender.ts'

/** Marks the class of a custom process: also one that extends the class of another copy of this package is known by it. */
export const CUSTOM_PROCESS: unique symbol = Symbol.for('polyport.process')

/**
 * A process of your own beside the workers: `processes` of the config. One instance in each of its `count` processes, made
 * with no arguments; the members are there in `run`, not in the constructor.
 */
export abstract class CustomProcess {
  static readonly [CUSTOM_PROCESS]: boolean = true

  /** The door to every connection of every worker, users, groups and tables. */
  declare readonly daemon: Daemon
  /** `processes.<name>.options` of the config. */
  declare readonly options: Record<string, unknown>
  /** A logger that names the process. */
  declare readonly log: Logger
  /** Its name in the config. */
  declare readonly name: string
  /** Which of its `count` processes this is: 0, 1, … */
  declare readonly index: number
  /** Aborted when the process is to end, by a reload or a stop: pass it to whatever `run` awaits. */
  declare readonly signal: AbortSignal

  /**
   * What the process does. When it returns, or what it returns resolves, the process ends, and is started again after
   * `restartSeconds`; a throw is logged and counted, and does the same.
   */
  abstract run(): void | Promise<void>
  /**
   * Called for each message that is sent to the process, while `run` is under way. What it returns, or resolves with, answers a
   * request. A throw is logged and counted, and rejects the request.
   */
  onMessage?(message: unknown, from: Sender): unknown
  /** Called when a reload is to replace this process: `run` has `maxWaitSeconds` to return. Then the process is ended. Without it, `onStop` is called. */
  onReload?(): void | Promise<void>
  /** Called when the daemon stops: as `onReload`. */
  onStop?(): void | Promise<void>
}

/** A custom process of the config, as every process of the daemon reaches it: `daemon.processes['collector']`. */
export interface ProcessLink {
  /** How many of it the config asks for. */
  readonly count: number
  /**
   * Sends one message (structured clone) to one of the processes of this name, each in turn.
   * @returns whether it was accepted for delivery: false while none runs, or 64 MiB wait for it already
   * @throws DataCloneError when the message cannot be cloned
   */
  send(message: unknown): boolean
  /**
   * Sends one message and resolves with what `onMessage` returns. While none of the processes runs it waits for one.
   * @param options `timeoutMs`: how long to wait at most, 30,000 when absent
   * @throws RequestTimeoutError when there is no answer in time; UnreachableError when the process ends meanwhile; DataCloneError; an Error like the one that `onMessage` throws
   */
  request(message: unknown, options?: { timeoutMs?: number }): Promise<unknown>
}

/** The custom processes of the config, by name. */
export type Processes = { readonly [name: string]: ProcessLink }
