import type { Protocol } from '../config/schema.ts'
import type { CloseReason } from '../contracts/close-reason.ts'
import { type CustomMetrics, countersOf, mergeCustom, parseCustom } from './custom-metrics.ts'
import { FAMILIES, family } from './families.ts'
import { HighWater } from './high-water.ts'
import { LostConnections } from './lost-connections.ts'
import type { MetricJson } from './metric-json.ts'
import type { PortReport } from './port-counters.ts'
import { portMetrics } from './port-metrics.ts'
import { addPorts, emptyPort } from './port-totals.ts'
import { type MasterFacts, masterMetrics, type SlotFacts, staffMetrics, workerMetrics } from './process-metrics.ts'
import { promClient } from './prom-client.ts'
import type { WorkerReport } from './worker-report.ts'

// A page that Prometheus takes in without trouble. Ours are a few hundred series; handlers may add theirs up to this.
const MAX_SERIES = 10_000

/** A process that is in a slot, or was and still serves some connections. The slot of what is no worker is named: `task 0`. */
interface Live {
  readonly slot: number | string
  report: WorkerReport
  custom: CustomMetrics
  /** Metrics that were not accepted. */
  omitted: number
  lagMax: number
  /** Whether `lagMax` has been on a page: the next report begins anew. */
  isShown: boolean
}

/**
 * The master's account of all workers: what those that run reported last, and the sum of what those that are gone had
 * counted. So a worker that dies or does not answer never makes a total go back.
 */
export class MetricsBook {
  /** By process number; the latest of a slot last. */
  readonly #live = new Map<number, Live>()
  #ports: Map<string, PortReport>
  readonly #cpuSeconds = new Map<number | string, number>()
  /** What duties that are gone had counted. */
  #duties: readonly MetricJson[] = []
  #custom: CustomMetrics = []
  readonly #lost = new LostConnections()
  readonly #highWater = new HighWater(2 * MAX_SERIES)

  /** @param ports every port of the config: its series are there before the first report */
  constructor(ports: readonly { readonly name: string; readonly protocol: Protocol }[]) {
    this.#ports = new Map(ports.map((port) => [port.name, emptyPort(port)]))
  }

  /** The ports of a new config: what is new among them is there before its first report. */
  setPorts(ports: readonly { readonly name: string; readonly protocol: Protocol }[]): void {
    for (const port of ports) if (!this.#ports.has(port.name)) this.#ports.set(port.name, emptyPort(port))
  }

  /** Notes what the process in a slot reports. In a hand-over there are two. */
  record(slot: number | string, report: WorkerReport): void {
    const live = this.#live.get(report.pid)
    const { metrics, omitted } = parseCustom(report.custom)
    const lagMax = live === undefined || live.isShown ? report.loopLag.max : Math.max(live.lagMax, report.loopLag.max)
    this.#live.set(report.pid, { slot, report, custom: metrics, omitted, lagMax, isShown: false })
  }

  /** A process has ended: what it counted stays, what it measured goes. Safe to call twice. */
  retire(pid: number): void {
    const live = this.#live.get(pid)
    if (live === undefined) return
    const { ports, cpu } = live.report
    const { slot } = live
    this.#live.delete(pid)
    this.#duties = mergeCustom([this.#duties, countersOf(live.report.duty?.metrics ?? [])]).metrics
    this.#ports = sumPorts(this.#ports, [ports.map((port) => ({ ...port, connections: 0 }))])
    this.#cpuSeconds.set(slot, (this.#cpuSeconds.get(slot) ?? 0) + cpu.user + cpu.system)
    this.#custom = mergeCustom([this.#custom, countersOf(live.custom)]).metrics
  }

  /** The master has turned a connection away. */
  refuse(name: string, reason: CloseReason): void {
    const port = this.#ports.get(name)
    if (port !== undefined) this.#ports.set(name, { ...port, refused: { ...port.refused, [reason]: (port.refused[reason] ?? 0) + 1 } })
  }

  /** The last report of a process. */
  reportOf(pid: number): WorkerReport | undefined {
    return this.#live.get(pid)?.report
  }

  /** Every port over all workers that are and were. */
  ports(): PortReport[] {
    return [
      ...sumPorts(
        this.#ports,
        Array.from(this.#live.values(), (live) => live.report.ports),
      ).values(),
    ]
  }

  /** The page, in Prometheus' text format 0.0.4. */
  async render(facts: MasterFacts): Promise<string> {
    const ports = this.ports()
    if (facts.isSettled) this.#lost.settle(ports)
    const slots = new Set<number | string>([
      ...facts.workers.map((worker) => worker.slot),
      ...Array.from(this.#live.values(), (live) => live.slot),
      ...this.#cpuSeconds.keys(),
    ])
    const all = Array.from(slots, (slot) => this.#slotFacts(slot))
    const own = [
      ...masterMetrics(facts),
      ...portMetrics(ports.map((port) => this.#lost.addTo(port))),
      ...workerMetrics(all),
      ...staffMetrics(all, facts.staff),
      ...this.#dutyMetrics(),
    ]
    const custom = this.#fittingCustom(MAX_SERIES - countSeries(own) - 1)
    own.push(family('polyport_custom_metrics_omitted', [{ value: custom.omitted, labels: {} }]))
    own.sort((a, b) => ORDER.indexOf(a.name) - ORDER.indexOf(b.name))
    for (const live of this.#live.values()) live.isShown = true
    const metrics = this.#highWater.raise([...own, ...custom.metrics]).filter((metric) => metric.values.length > 0)
    return promClient().Registry.aggregate([metrics]).metrics()
  }

  #dutyMetrics(): readonly MetricJson[] {
    const living = Array.from(this.#live.values(), ({ report }) => report.duty?.metrics ?? [])
    return mergeCustom([this.#duties, ...living]).metrics
  }

  #of(slot: number | string): Live[] {
    return [...this.#live.values()].filter((live) => live.slot === slot)
  }

  #slotFacts(slot: number | string): SlotFacts {
    const lives = this.#of(slot)
    const now = lives.at(-1)
    const cpuSeconds = lives.reduce((sum, { report: { cpu } }) => sum + cpu.user + cpu.system, this.#cpuSeconds.get(slot) ?? 0)
    if (now === undefined) return { slot, cpuSeconds, now: undefined }
    const { memory, loopLag } = now.report
    return { slot, cpuSeconds, now: { ...memory, lagMean: loopLag.mean, lagMax: now.lagMax } }
  }

  /** The metrics of handlers, in order of their names, each whole or not at all. */
  #fittingCustom(room: number): { metrics: MetricJson[]; omitted: number } {
    const all = [...this.#live.values()]
    const merged = mergeCustom([this.#custom, ...all.map((live) => live.custom)])
    let omitted = all.reduce((sum, live) => sum + live.omitted, merged.omitted)
    const metrics: MetricJson[] = []
    for (const metric of merged.metrics.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      if (metric.values.length <= room) {
        room -= metric.values.length
        metrics.push(metric)
      } else {
        omitted++
      }
    }
    return { metrics, omitted }
  }
}

const ORDER: readonly string[] = Object.keys(FAMILIES)

function sumPorts(base: ReadonlyMap<string, PortReport>, processes: readonly (readonly PortReport[])[]): Map<string, PortReport> {
  const sums = new Map(base)
  for (const ports of processes) {
    for (const port of ports) sums.set(port.name, addPorts(sums.get(port.name) ?? emptyPort(port), port))
  }
  return sums
}

function countSeries(metrics: readonly MetricJson[]): number {
  return metrics.reduce((sum, metric) => sum + metric.values.length, 0)
}
