/** One sample of a metric. `metricName` is set where it differs from the metric's: `x_bucket`, `x_sum`, `x_count`. */
export interface Sample {
  readonly value: number
  readonly labels: Readonly<Record<string, string | number>>
  readonly metricName?: string
}

/** A metric as prom-client's `getMetricsAsJSON` gives it and `Registry.aggregate` takes it. */
export interface MetricJson {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary'
  readonly aggregator: string
  readonly values: readonly Sample[]
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const TYPES: readonly string[] = ['counter', 'gauge', 'histogram', 'summary'] satisfies MetricJson['type'][]
const AGGREGATORS: readonly string[] = ['sum', 'first', 'omit', 'average', 'min', 'max']

/**
 * Takes what a handler registered to what the page can show, or undefined for what is no metric. Values that are no
 * numbers are left out. Only gauges keep their aggregator: counters and histograms of several processes are summed,
 * anything else could go back. Of a summary only sum and count remain: quantiles of several processes have no meaning together.
 */
export function toMetricJson(given: unknown): MetricJson | undefined {
  if (!isRecord(given) || !Array.isArray(given['values'])) return undefined
  const { name, help, type, aggregator } = given
  if (typeof name !== 'string' || typeof help !== 'string' || !NAME.test(name) || !isType(type)) return undefined
  const known = typeof aggregator === 'string' && AGGREGATORS.includes(aggregator) ? aggregator : 'sum'
  const values: Sample[] = []
  for (const value of given['values']) {
    const sample = toSample(value)
    if (sample === undefined || (type === 'summary' && sample.metricName === undefined)) continue
    values.push(sample)
  }
  return { name, help, type, aggregator: type === 'gauge' || known === 'omit' ? known : 'sum', values }
}

function toSample(given: unknown): Sample | undefined {
  if (!isRecord(given) || typeof given['value'] !== 'number') return undefined
  const labels: Record<string, string | number> = {}
  for (const [label, value] of Object.entries(isRecord(given['labels']) ? given['labels'] : {})) {
    if (!LABEL.test(label)) return undefined
    labels[label] = typeof value === 'number' ? value : String(value)
  }
  const { metricName } = given
  return { value: given['value'], labels, ...(typeof metricName === 'string' && NAME.test(metricName) && { metricName }) }
}

function isType(type: unknown): type is MetricJson['type'] {
  return typeof type === 'string' && TYPES.includes(type)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
