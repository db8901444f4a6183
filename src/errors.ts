/**
 * Every error class of Polyport. Codes are stable: `docs/errors.md` lists them and a test holds both together.
 */

/** One thing that is wrong with a config file or with a handler that it names. */
export interface Problem {
  /** The file that holds the mistake: the config, or the handler module. */
  readonly file: string
  /** Where in the config: `ports[1].framing.eof`. Empty for the file as a whole. */
  readonly path: string
  /** What is wrong and what was expected, one sentence without a final period. */
  readonly message: string
  /** 1-based position in `file`, where it is known. */
  readonly line?: number
  readonly column?: number
}

/** The form in which every problem is printed: `file:line:column: path: what is wrong`. */
export function formatProblem(problem: Problem): string {
  const place = problem.line === undefined ? problem.file : `${problem.file}:${problem.line}:${problem.column ?? 1}`
  return problem.path === '' ? `${place}: ${problem.message}` : `${place}: ${problem.path}: ${problem.message}`
}

/** The config, or a module it names, cannot be used. Carries every problem, not only the first. Exit code 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code = 'POLYPORT_CONFIG'
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'))
    this.problems = problems
  }
}

/** A port could not be opened. Exit code 1. */
export class BindError extends Error {
  override readonly name = 'BindError'
  readonly code = 'POLYPORT_BIND'
}

/** A process of the daemon did not get ready. Exit code 1. */
export class StartError extends Error {
  override readonly name = 'StartError'
  readonly code = 'POLYPORT_START'
}

/** A daemon with this `runtimeDir` is already running. Exit code 1. */
export class AlreadyRunningError extends Error {
  override readonly name = 'AlreadyRunningError'
  readonly code = 'POLYPORT_ALREADY_RUNNING'
}

/** A reload did not take effect: the old code goes on with every connection. Exit code 1. */
export class ReloadError extends Error {
  override readonly name = 'ReloadError'
  readonly code = 'POLYPORT_RELOAD'
}

/** No daemon answers at this `runtimeDir`. Exit code 3. */
export class NotRunningError extends Error {
  override readonly name = 'NotRunningError'
  readonly code = 'POLYPORT_NOT_RUNNING'
}

/** `daemon()` was called in a process that runs no daemon. */
export class NotInDaemonError extends Error {
  override readonly name = 'NotInDaemonError'
  readonly code = 'POLYPORT_NOT_IN_DAEMON'

  constructor() {
    super('daemon() works only in code that Polyport has loaded: start this program with "polyport start", or call createDaemon() first')
  }
}

/** A table holds as many rows as its `size` allows. */
export class TableFullError extends Error {
  override readonly name = 'TableFullError'
  readonly code = 'POLYPORT_TABLE_FULL'

  constructor(table: string, size: number) {
    super(`Cannot add a row to table "${table}" as it holds ${size} rows: raise tables.${table}.size or delete rows`)
  }
}

/** A key, column or value does not fit a table's columns. */
export class TableValueError extends RangeError {
  override readonly name = 'TableValueError'
  readonly code = 'POLYPORT_TABLE_VALUE'
}

/** `sendTo` or `broadcast` named a port that the config does not have, or that cannot do this. */
export class UnknownPortError extends Error {
  override readonly name = 'UnknownPortError'
  readonly code = 'POLYPORT_UNKNOWN_PORT'
}

/** A peer broke the rules of the port's framing: its connection is closed with this reason. */
export class FrameError extends Error {
  override readonly name = 'FrameError'
  readonly code = 'POLYPORT_FRAME'
  readonly reason: 'frame_too_long' | 'error'

  constructor(reason: 'frame_too_long' | 'error', message: string) {
    super(message)
    this.reason = reason
  }
}

/** A process of the daemon that was asked is not there, or has ended before it answered. Nothing is known of what it did. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError'
  readonly code = 'POLYPORT_UNREACHABLE'
}

/** A process of the daemon has not answered in time. It may still do what it was asked for. */
export class RequestTimeoutError extends Error {
  override readonly name = 'RequestTimeoutError'
  readonly code = 'POLYPORT_REQUEST_TIMEOUT'
}

/** The input of a task or the data of an event cannot be stored: it cannot be cloned, or is too large. The message names the culprit. */
export class TaskInputError extends TypeError {
  override readonly name = 'TaskInputError'
  readonly code = 'POLYPORT_TASK_INPUT'
}

/** As many tasks wait as `tasks.maxQueued` allows, or more deliveries of this process than it may have under way. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError'
  readonly code = 'POLYPORT_QUEUE_FULL'
}

/** There is no queue to deliver to: the config has neither tasks nor events, the daemon stops, or the disk has refused. */
export class QueueClosedError extends Error {
  override readonly name = 'QueueClosedError'
  readonly code = 'POLYPORT_QUEUE_CLOSED'
}

/** A task that was awaited with `run` has failed. `cause` is what its `handle` threw, where it threw. */
export class TaskFailedError extends Error {
  override readonly name = 'TaskFailedError'
  readonly code = 'POLYPORT_TASK_FAILED'
}

/** A task has taken longer than it may. */
export class TaskTimeoutError extends Error {
  override readonly name = 'TaskTimeoutError'
  readonly code = 'POLYPORT_TASK_TIMEOUT'
}
