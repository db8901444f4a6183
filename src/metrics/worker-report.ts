import type { MetricJson } from './metric-json.ts'
import type { PortReport } from './port-counters.ts'

/** What one process tells of itself, as plain data. Counters start at 0 with the process. */
export interface WorkerReport {
  readonly pid: number
  /** Bytes. */
  readonly memory: { readonly rss: number; readonly heapUsed: number }
  /** Seconds since the process started. */
  readonly cpu: { readonly user: number; readonly system: number }
  /** Delay of the event loop since the last report, in seconds. */
  readonly loopLag: { readonly mean: number; readonly max: number }
  /** Its event loop lags behind so far that it refuses new connections. */
  readonly isOverloaded?: boolean
  readonly ports: readonly PortReport[]
  /** What handlers registered in `daemon.metrics`, in prom-client's JSON form. */
  readonly custom: readonly unknown[]
  /** Of a process that is no worker: what its duty has counted, and what `/api/status` shows of it. */
  readonly duty?: { readonly metrics: readonly MetricJson[]; readonly status: unknown }
}
