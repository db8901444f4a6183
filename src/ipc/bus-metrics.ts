import { family } from '../metrics/families.ts'
import type { MetricJson } from '../metrics/metric-json.ts'
import type { Bus } from './bus.ts'
import type { Place } from './messages.ts'

/** What one process counts of what it sends to others. */
export function busMetrics(
  { role, index }: Place,
  { dropped, pressure: { waits } }: Pick<Bus, 'dropped'> & { readonly pressure: { readonly waits: number } },
): MetricJson[] {
  // No other process has connections that could wait.
  const waiting = role === 'worker' ? [family('polyport_bus_waits_total', [{ value: waits, labels: { worker: index } }])] : []
  return [...waiting, family('polyport_bus_messages_dropped_total', [{ value: dropped, labels: {} }])]
}
