import type { Protocol } from '../config/schema.ts'
import type { PortReport } from '../metrics/port-counters.ts'
import type { TaskStatus } from '../tasks/task-status.ts'

/** What `/api/status` and `polyport status` show. Times are ISO 8601, sizes bytes. */
export interface DaemonStatus {
  readonly name: string
  /** Of Polyport. */
  readonly version: string
  /** Of the application: `POLYPORT_APP_VERSION`. Empty when not given. */
  readonly appVersion: string
  /** Of the master. */
  readonly pid: number
  readonly startedAt: string
  readonly uptimeSeconds: number
  readonly state: 'starting' | 'ready' | 'stopping'
  /** The version of Node.js. */
  readonly node: string
  readonly memory: { readonly rss: number }
  readonly ports: readonly PortStatus[]
  readonly workers: readonly WorkerStatus[]
  /** Absent where the config has neither tasks nor events. */
  readonly tasks?: TasksStatus
  readonly timers: readonly TimerStatus[]
  readonly processes: readonly ProcessStatus[]
  readonly tables: readonly TableStatus[]
}

/** A port over all workers. All but `connections` count from the start of the daemon. */
export interface PortStatus {
  readonly name: string
  readonly protocol: Protocol
  readonly address: string
  /** Open now. */
  readonly connections: number
  readonly accepted: number
  readonly refused: number
  readonly messagesIn: number
  readonly messagesOut: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly errors: number
}

export interface WorkerStatus {
  readonly slot: number
  readonly pid: number
  readonly state: 'starting' | 'ready' | 'draining'
  readonly startedAt: string
  readonly restarts: number
  readonly connections: number
  /** Resident memory. */
  readonly memory: number
}

/** The tasks, and the processes that run them. What is done, failed and retried counts from the start of the process that holds them. */
export interface TasksStatus extends TaskStatus {
  readonly workers: readonly TaskWorkerStatus[]
}

/** A process that is no worker. */
export interface StaffStatus {
  /** Which of those of its kind. */
  readonly index: number
  readonly pid: number
  readonly state: 'starting' | 'ready' | 'draining'
  readonly startedAt: string
  readonly restarts: number
  /** Resident memory. */
  readonly memory: number
}

export interface TaskWorkerStatus extends StaffStatus {
  /** Tasks that it has. */
  readonly tasks: number
}

/** A timer, since its process started. */
export interface TimerStatus {
  /** Its class. */
  readonly name: string
  /** Of the timer process. */
  readonly pid: number
  /** `every 500 ms`, or the cron expression. */
  readonly when: string
  readonly state: 'waiting' | 'running' | 'stopped'
  readonly runs: number
  readonly skipped: number
  readonly errors: number
  readonly lastRunAt: string | null
  readonly nextRunAt: string | null
}

/** A custom process. `messages` and `errors` count since it started. */
export interface ProcessStatus extends StaffStatus {
  readonly name: string
  readonly messages: number
  readonly errors: number
}

export interface TableStatus {
  readonly name: string
  readonly rows: number
  readonly size: number
}

/**
 * The ports part of the status.
 * @param totals of each port over all workers that are and were: `MetricsBook.ports()`
 */
export function portStatuses(
  ports: readonly { readonly name: string; readonly protocol: Protocol; readonly address: string }[],
  totals: readonly PortReport[],
): PortStatus[] {
  const byName = new Map(totals.map((total) => [total.name, total]))
  return ports.map(({ name, protocol, address }) => {
    const total = byName.get(name)
    return {
      name,
      protocol,
      address,
      connections: total?.connections ?? 0,
      accepted: total?.accepted ?? 0,
      refused: Object.values(total?.refused ?? {}).reduce((sum, count) => sum + count, 0),
      messagesIn: total?.messagesIn ?? 0,
      messagesOut: total?.messagesOut ?? 0,
      bytesIn: total?.bytesIn ?? 0,
      bytesOut: total?.bytesOut ?? 0,
      errors: total?.errors ?? 0,
    }
  })
}
