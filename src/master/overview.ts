import { type DaemonStatus, portStatuses } from '../admin/status.ts'
import type { Config } from '../config/schema.ts'
import type { Table, Tables } from '../contracts/table.ts'
import type { Place } from '../ipc/messages.ts'
import { droppedLogLines } from '../log/log.ts'
import type { MetricsBook } from '../metrics/metrics-book.ts'
import type { MasterFacts } from '../metrics/process-metrics.ts'
import { VERSION } from '../version.ts'
import { certificatesOf } from './certificates.ts'
import { processStatuses, tasksStatus, timerStatuses } from './staff-status.ts'

/** A place of one process, as it is shown. */
export interface WorkerView {
  readonly index: number
  /** Of a process that is no worker: `task 0`. */
  readonly name?: string
  /** The same. */
  readonly place?: Place
  readonly pid: number | undefined
  readonly state: 'starting' | 'ready' | 'draining'
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly restarts: number
  /** What its duty says of itself, where it is not in the process's report. */
  readonly status?: unknown
}

/** What the admin port shows of a daemon: `/api/status` and `/metrics` are built here. */
export class Overview {
  #config: Config
  readonly #appVersion: string
  /** What the workers have counted. */
  readonly book: MetricsBook
  readonly #startedAt = Date.now()

  constructor(parts: { config: Config; appVersion: string; book: MetricsBook }) {
    this.#config = parts.config
    this.#appVersion = parts.appVersion
    this.book = parts.book
  }

  /** A reload has taken effect. */
  set config(config: Config) {
    this.#config = config
    this.book.setPorts(config.ports)
  }

  status(now: {
    state: DaemonStatus['state']
    addresses: ReadonlyMap<string, string>
    workers: readonly WorkerView[]
    staff: readonly WorkerView[]
    tables: Tables | undefined
  }): DaemonStatus {
    const { name, ports } = this.#config
    const tasks = tasksStatus(now.staff, this.book)
    return {
      name,
      version: VERSION,
      appVersion: this.#appVersion,
      pid: process.pid,
      startedAt: new Date(this.#startedAt).toISOString(),
      uptimeSeconds: Math.round((Date.now() - this.#startedAt) / 1000),
      state: now.state,
      node: process.version,
      memory: { rss: process.memoryUsage.rss() },
      ports: portStatuses(
        ports.map((port) => ({ name: port.name, protocol: port.protocol, address: now.addresses.get(port.name) ?? '' })),
        this.book.ports(),
      ),
      workers: now.workers.map((worker) => this.#worker(worker)),
      ...(tasks !== undefined && { tasks }),
      timers: timerStatuses(now.staff, this.book),
      processes: processStatuses(now.staff, this.book),
      tables: this.#tables(now.tables),
    }
  }

  metrics(now: {
    workers: readonly WorkerView[]
    staff: readonly WorkerView[]
    missingWorkers: number
    isSettled: boolean
    reloads: MasterFacts['reloads']
    counts: { users: number; groups: number }
    tables: Tables | undefined
  }): Promise<string> {
    return this.book.render({
      version: VERSION,
      appVersion: this.#appVersion,
      startedAt: this.#startedAt / 1000,
      workers: now.workers.filter(({ state }) => state !== 'draining').map(({ index, state, restarts }) => ({ slot: index, up: state === 'ready', restarts })),
      staff: now.staff
        .filter(({ state }) => state !== 'draining')
        .map(({ name = '', state, restarts }) => ({ process: name, up: state === 'ready', restarts })),
      reloads: now.reloads,
      droppedLogLines: droppedLogLines(),
      missingWorkers: now.missingWorkers,
      isSettled: now.isSettled,
      certificates: certificatesOf(this.#config),
      tables: this.#tables(now.tables),
      users: now.counts.users,
      groups: now.counts.groups,
    })
  }

  #worker({ index, pid, state, startedAt, restarts }: WorkerView): DaemonStatus['workers'][number] {
    const report = this.book.reportOf(pid ?? 0)
    const connections = (report?.ports ?? []).reduce((sum, port) => sum + port.connections, 0)
    return { slot: index, pid: pid ?? 0, state, startedAt: new Date(startedAt).toISOString(), restarts, connections, memory: report?.memory.rss ?? 0 }
  }

  #tables(tables: Tables | undefined): DaemonStatus['tables'] {
    return Object.entries(this.#config.tables).map(([name, { size }]) => ({ name, rows: (tables?.[name] as Table | undefined)?.count ?? 0, size }))
  }
}
