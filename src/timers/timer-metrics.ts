import { family } from '../metrics/families.ts'
import { histogramSamples } from '../metrics/histogram-samples.ts'
import type { MetricJson } from '../metrics/metric-json.ts'
import type { TimerReport } from './scheduled-timer.ts'

/** The metrics of all timers. Their number is that of the classes. */
export function timerMetrics(timers: readonly TimerReport[]): MetricJson[] {
  const counter = (name: string, value: (timer: TimerReport) => number): MetricJson =>
    family(
      name,
      timers.map((timer) => ({ value: value(timer), labels: { timer: timer.name } })),
    )
  const duration = 'polyport_timer_duration_seconds'
  return [
    counter('polyport_timer_runs_total', ({ runs }) => runs),
    counter('polyport_timer_skipped_total', ({ skipped }) => skipped),
    counter('polyport_timer_errors_total', ({ errors }) => errors),
    family(
      duration,
      timers.flatMap(({ name, seconds }) => histogramSamples(duration, seconds, { timer: name })),
    ),
  ]
}
