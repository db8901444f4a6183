import type { Daemon } from './daemon.ts'
import type { Sender } from './sender.ts'

/** A process of the daemon, as the hooks of a lifecycle module are told of it. */
export interface ProcessInfo extends Sender {
  readonly pid: number
}

/** A process that has ended without being asked to. */
export interface ProcessDeath extends ProcessInfo {
  /** Its exit code; null when a signal ended it. */
  readonly code: number | null
  readonly signal: string | null
}

/**
 * What a module of `lifecycle` may export. Hooks of several modules run in the order of the config, each awaited. What one throws is
 * logged and counted, and stops nothing.
 */
export interface LifecycleHooks {
  /** Once per daemon, when it starts: in worker 0, before any port opens. Not in a reload. */
  onDaemonStart?(daemon: Daemon, process: ProcessInfo): void | Promise<void>
  /** Once per daemon, when it stops: in the worker of the lowest slot, after its last connection has closed. */
  onDaemonStop?(daemon: Daemon, process: ProcessInfo): void | Promise<void>
  /** In every process that runs code of yours (workers, task workers, timer process, custom processes), before anything else of it. */
  onWorkerStart?(daemon: Daemon, process: ProcessInfo): void | Promise<void>
  /** In every such process that ends in good order, after everything else of it. */
  onWorkerStop?(daemon: Daemon, process: ProcessInfo): void | Promise<void>
  /** Once for every process that died: in one worker that lives. */
  onWorkerError?(daemon: Daemon, death: ProcessDeath): void | Promise<void>
}
