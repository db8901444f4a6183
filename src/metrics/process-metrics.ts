import { family } from './families.ts'
import type { MetricJson } from './metric-json.ts'

/** What only the master knows. */
export interface MasterFacts {
  readonly version: string
  readonly appVersion: string
  /** Seconds since 1970. */
  readonly startedAt: number
  /** Every slot of the config, whether or not a process is in it. */
  readonly workers: readonly { readonly slot: number; readonly up: boolean; readonly restarts: number }[]
  /** Every process of the config that is no worker. `process` is its place: `task 0`. */
  readonly staff: readonly { readonly process: string; readonly up: boolean; readonly restarts: number }[]
  readonly reloads: { readonly done: number; readonly failed: number /** How long the last one took. */; readonly seconds: number }
  /** Log lines that the master could not write. */
  readonly droppedLogLines: number
  /** Workers that did not answer this scrape in time. */
  readonly missingWorkers: number
  /** Every process has just reported, and none gives its connections to another. */
  readonly isSettled: boolean
  /** `expiresAt` in milliseconds since 1970. */
  readonly certificates: readonly { readonly port: string; readonly certificate: string; readonly expiresAt: number }[]
  readonly tables: readonly { readonly name: string; readonly rows: number; readonly size: number }[]
  readonly users: number
  readonly groups: number
}

/** What the book knows of the process in a slot. */
export interface SlotFacts {
  /** A number for a worker, the place of another process: `task 0`. */
  readonly slot: number | string
  /** Of all processes that were in this slot. */
  readonly cpuSeconds: number
  /** Of the one that is; absent when there is none. */
  readonly now: { readonly rss: number; readonly heapUsed: number; readonly lagMean: number; readonly lagMax: number } | undefined
}

/** The metrics of the daemon as a whole and of the process that calls this, the master. */
export function masterMetrics(facts: MasterFacts): MetricJson[] {
  const { user, system } = process.cpuUsage()
  const { tables, workers } = facts
  return [
    family('polyport_info', [{ value: 1, labels: { version: facts.version, node: process.versions.node, app_version: facts.appVersion } }]),
    family('polyport_start_time_seconds', single(facts.startedAt)),
    family(
      'polyport_tls_certificate_expiry_seconds',
      facts.certificates.map(({ port, certificate, expiresAt }) => ({ value: (expiresAt - Date.now()) / 1000, labels: { port, certificate } })),
    ),
    family('polyport_users', single(facts.users)),
    family('polyport_groups', single(facts.groups)),
    family(
      'polyport_table_rows',
      tables.map(({ name, rows }) => ({ value: rows, labels: { table: name } })),
    ),
    family(
      'polyport_table_size_rows',
      tables.map(({ name, size }) => ({ value: size, labels: { table: name } })),
    ),
    family(
      'polyport_worker_up',
      workers.map(({ slot, up }) => ({ value: up ? 1 : 0, labels: { worker: slot } })),
    ),
    family(
      'polyport_worker_restarts_total',
      workers.map(({ slot, restarts }) => ({ value: restarts, labels: { worker: slot } })),
    ),
    family('polyport_reloads_total', [
      { value: facts.reloads.done, labels: { result: 'done' } },
      { value: facts.reloads.failed, labels: { result: 'failed' } },
    ]),
    family('polyport_reload_duration_seconds', single(facts.reloads.seconds)),
    family('polyport_master_resident_memory_bytes', single(process.memoryUsage.rss())),
    family('polyport_master_cpu_seconds_total', single((user + system) / 1e6)),
    logMetric('master', facts.droppedLogLines),
    family('polyport_scrape_missing_workers', single(facts.missingWorkers)),
  ]
}

/** The metrics of the worker processes. */
export function workerMetrics(all: readonly SlotFacts[]): MetricJson[] {
  const slots = all.filter(({ slot }) => typeof slot === 'number')
  const alive = slots.flatMap(({ slot, now }) => (now === undefined ? [] : [{ ...now, labels: { worker: slot } }]))
  return [
    family(
      'polyport_worker_resident_memory_bytes',
      alive.map(({ rss, labels }) => ({ value: rss, labels })),
    ),
    family(
      'polyport_worker_heap_used_bytes',
      alive.map(({ heapUsed, labels }) => ({ value: heapUsed, labels })),
    ),
    family(
      'polyport_worker_cpu_seconds_total',
      slots.map(({ slot, cpuSeconds }) => ({ value: cpuSeconds, labels: { worker: slot } })),
    ),
    family(
      'polyport_worker_eventloop_lag_seconds',
      alive.map(({ lagMax, labels }) => ({ value: lagMax, labels })),
    ),
    family(
      'polyport_worker_eventloop_lag_mean_seconds',
      alive.map(({ lagMean, labels }) => ({ value: lagMean, labels })),
    ),
  ]
}

/** The metrics of the processes that are no workers. */
export function staffMetrics(all: readonly SlotFacts[], staff: MasterFacts['staff']): MetricJson[] {
  const slots = all.filter(({ slot }) => typeof slot === 'string')
  const alive = slots.flatMap(({ slot, now }) => (now === undefined ? [] : [{ ...now, labels: { process: slot } }]))
  return [
    family(
      'polyport_process_up',
      staff.map(({ process, up }) => ({ value: up ? 1 : 0, labels: { process } })),
    ),
    family(
      'polyport_process_restarts_total',
      staff.map(({ process, restarts }) => ({ value: restarts, labels: { process } })),
    ),
    family(
      'polyport_process_resident_memory_bytes',
      alive.map(({ rss, labels }) => ({ value: rss, labels })),
    ),
    family(
      'polyport_process_cpu_seconds_total',
      slots.map(({ slot, cpuSeconds }) => ({ value: cpuSeconds, labels: { process: slot } })),
    ),
    family(
      'polyport_process_eventloop_lag_seconds',
      alive.map(({ lagMax, labels }) => ({ value: lagMax, labels })),
    ),
  ]
}

/** What a process could not log. @param process its place: `worker 0`, `task 0` */
export function logMetric(process: string, droppedLines: number): MetricJson {
  return family('polyport_log_lines_dropped_total', [{ value: droppedLines, labels: { process } }])
}

function single(value: number): MetricJson['values'] {
  return [{ value, labels: {} }]
}
