import { type HistogramReport, SECONDS_BUCKETS } from './histogram.ts'
import type { Sample } from './metric-json.ts'

/** A histogram as it stands on the page. Buckets there count everything at or under their bound, ours only what is over the one before. */
export function histogramSamples(name: string, report: HistogramReport, labels: Sample['labels']): Sample[] {
  let count = 0
  const buckets = report.buckets.map((value, i) => {
    count += value
    return { metricName: `${name}_bucket`, value: count, labels: { ...labels, le: String(SECONDS_BUCKETS[i] ?? '+Inf') } }
  })
  return [...buckets, { metricName: `${name}_sum`, value: report.sum, labels }, { metricName: `${name}_count`, value: count, labels }]
}
