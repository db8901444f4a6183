import { LoopLag } from './loop-lag.ts'
import type { PortReport } from './port-counters.ts'
import type { WorkerReport } from './worker-report.ts'

/** Builds what a worker tells of itself. */
export class WorkerMetrics {
  readonly #ports: () => readonly PortReport[]
  readonly #custom: () => Promise<readonly unknown[]>
  readonly #isOverloaded: () => boolean
  readonly #lag = new LoopLag()
  #memory: WorkerReport['memory'] = { rss: 0, heapUsed: 0 }

  constructor(parts: { ports: () => readonly PortReport[]; custom: () => Promise<readonly unknown[]>; isOverloaded?: () => boolean }) {
    this.#isOverloaded = parts.isOverloaded ?? ((): boolean => false)
    this.#ports = parts.ports
    this.#custom = parts.custom
  }

  start(): void {
    this.#lag.start()
  }

  stop(): void {
    this.#lag.stop()
  }

  /** `loopLag` covers the time since the last report. */
  async report(): Promise<WorkerReport> {
    // The only wait comes first: all else is of one moment.
    const custom = await this.#custom()
    const { user, system } = process.cpuUsage()
    return {
      pid: process.pid,
      memory: this.#measureMemory(),
      cpu: { user: user / 1e6, system: system / 1e6 },
      loopLag: this.#lag.take(),
      isOverloaded: this.#isOverloaded(),
      ports: this.#ports(),
      custom,
    }
  }

  #measureMemory(): WorkerReport['memory'] {
    try {
      const { rss, heapUsed } = process.memoryUsage()
      this.#memory = { rss, heapUsed }
    } catch {
      // It reads /proc, and no descriptor is left for that: the last figure stands.
    }
    return this.#memory
  }
}
