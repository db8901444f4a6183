import type { Config } from '../config/schema.ts'
import type { Daemon } from '../contracts/daemon.ts'
import type { Logger } from '../contracts/logger.ts'
import type { Problem } from '../errors.ts'
import type { MetricJson } from '../metrics/metric-json.ts'
import type { Place } from './messages.ts'
import type { Post } from './post.ts'

/**
 * What a process that is no worker is there for: to hold the tasks, to run tasks, timers, or a loop of the user's. The same object runs in a
 * process of its own and inside the one of `createDaemon`.
 */
export interface Duty {
  /** Imports the user's modules and checks them. Nothing runs yet. @returns every mistake */
  load(): Promise<readonly Problem[]>
  /** Begins the work. In a reload this is when the one before has left, or, for roles of which two may work side by side, has been told to. */
  start(): Promise<void>
  /** Another one takes its place: nothing new is begun. Resolves when what was under way has ended. */
  leave(): Promise<void>
  /** As `leave`, but waits at most so long: what is still under way then is given up. */
  stop(maxWaitSeconds: number): Promise<void>
  report(): DutyReport
  /** What the master wants to know or have done, for people. What it throws is told to them. */
  ask?(question: unknown): Promise<unknown>
}

/** Plain data. */
export interface DutyReport {
  /** Families of `metrics/families.ts`. Those of all processes are summed, and counters outlive the process. */
  readonly metrics: readonly MetricJson[]
  /** What `/api/status` shows of it. */
  readonly status: unknown
}

/** What a duty is made of. */
export interface DutyParts {
  readonly config: Config
  readonly place: Place
  /** The folder of the daemon's shared memory. Missing where all runs in one process. */
  readonly memoryDir?: string
  readonly daemon: Daemon
  readonly post: Post
  readonly log: Logger
  /** A process is stuck: it is killed, and another started in its place. */
  readonly kill: (owner: number) => void
  /** This process has nothing more to do: it ends, and is started again. 1 tells of a failure. Missing where it is not a process of its own. */
  readonly end?: (exitCode: 0 | 1) => void
}
