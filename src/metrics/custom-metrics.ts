import { type MetricJson, toMetricJson } from './metric-json.ts'
import { promClient } from './prom-client.ts'

/** The metrics that handlers registered, of one process or of several as one, by name. */
export type CustomMetrics = readonly MetricJson[]

/** Takes what a worker sent to what can be merged. Names that begin with `polyport_` are ours. */
export function parseCustom(given: readonly unknown[]): { metrics: CustomMetrics; omitted: number } {
  const metrics: MetricJson[] = []
  for (const value of given) {
    const metric = toMetricJson(value)
    if (metric !== undefined && !metric.name.startsWith('polyport_')) metrics.push(metric)
  }
  return { metrics, omitted: given.length - metrics.length }
}

/** Merges what several processes have. Of a name that has two types the first one's stays: they cannot be added up. */
export function mergeCustom(processes: readonly CustomMetrics[]): { metrics: CustomMetrics; omitted: number } {
  const types = new Map<string, MetricJson['type']>()
  let omitted = 0
  const fitting = processes.map((metrics) =>
    metrics.filter(({ name, type }) => {
      const known = types.get(name) ?? type
      types.set(name, known)
      if (known !== type) omitted++
      return known === type
    }),
  )
  if (types.size === 0) return { metrics: [], omitted }
  const merged = promClient().Registry.aggregate(fitting).getMetricsAsArray()
  return { metrics: merged.map(toMetricJson).filter((metric) => metric !== undefined), omitted }
}

/** The same, without what is never shown: of a metric that has more series than a page, one too many says as much as all. */
export function withinPage(maxSeries: number, metrics: CustomMetrics): CustomMetrics {
  return metrics.map((metric) => (metric.values.length <= maxSeries ? metric : { ...metric, values: metric.values.slice(0, maxSeries + 1) }))
}

/** What outlives a process: what it counted, not what it measured. */
export function countersOf(metrics: CustomMetrics): CustomMetrics {
  return metrics.filter(({ type }) => type !== 'gauge')
}
