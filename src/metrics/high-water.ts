import type { MetricJson, Sample } from './metric-json.ts'

/**
 * Keeps counters from going back, by however little: Prometheus takes any decrease for a restart and counts the whole
 * value again. Sums of fractions depend on the order in which processes are added, and a handler may reset its own counter.
 */
export class HighWater {
  readonly #maxSeries: number
  #marks = new Map<string, number>()

  /** @param maxSeries above it, the marks of series that are no longer shown are forgotten */
  constructor(maxSeries: number) {
    this.#maxSeries = maxSeries
  }

  /** The same metrics, every counter at least as high as it was shown before. */
  raise(metrics: readonly MetricJson[]): MetricJson[] {
    const seen = new Map<string, number>()
    const raised = metrics.map((metric) =>
      metric.type === 'gauge' ? metric : { ...metric, values: metric.values.map((sample) => this.#raise(metric.name, sample, seen)) },
    )
    for (const [key, mark] of seen) this.#marks.set(key, mark)
    if (this.#marks.size > this.#maxSeries) this.#marks = seen
    return raised
  }

  #raise(name: string, sample: Sample, seen: Map<string, number>): Sample {
    const labels = Object.entries(sample.labels).sort(([a], [b]) => (a < b ? -1 : 1))
    const key = JSON.stringify([sample.metricName ?? name, ...labels])
    const value = Math.max(sample.value, this.#marks.get(key) ?? 0)
    seen.set(key, value)
    return value === sample.value ? sample : { ...sample, value }
  }
}
