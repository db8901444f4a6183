import type { Place } from '../ipc/messages.ts'
import { placeText } from '../ipc/place.ts'
import { family } from '../metrics/families.ts'
import type { MetricJson } from '../metrics/metric-json.ts'

/** The metrics of one custom process. */
export function customProcessMetrics(place: Place, counts: { readonly messages: number; readonly errors: number }): MetricJson[] {
  const labels = { process: placeText(place) }
  return [
    family('polyport_process_messages_total', [{ value: counts.messages, labels }]),
    family('polyport_process_errors_total', [{ value: counts.errors, labels }]),
  ]
}
