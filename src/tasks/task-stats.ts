import { family } from '../metrics/families.ts'
import { Histogram } from '../metrics/histogram.ts'
import { histogramSamples } from '../metrics/histogram-samples.ts'
import type { MetricJson } from '../metrics/metric-json.ts'

// Classes come from code, but code may make them.
const MAX_CLASSES = 200
const OTHERS = 'other'

/** What a class has come to in this process. */
export class ClassStats {
  done = 0
  failed = 0
  retried = 0
  abandoned = 0
  readonly queueSeconds: Histogram = new Histogram()
  readonly handleSeconds: Histogram = new Histogram()
}

/** How many of a class are where. */
export interface ClassCounts {
  readonly waiting: number
  readonly running: number
}

/** Counts by class, and by reason what was refused. */
export class TaskStats {
  readonly refused = { queue_full: 0, disk: 0 }
  readonly #classes = new Map<string, ClassStats>()

  of(className: string): ClassStats {
    const known = this.#classes.get(className)
    if (known !== undefined) return known
    const name = this.#classes.size < MAX_CLASSES ? className : OTHERS
    const stats = this.#classes.get(name) ?? new ClassStats()
    this.#classes.set(name, stats)
    return stats
  }

  get classes(): ReadonlyMap<string, ClassStats> {
    return this.#classes
  }

  metrics(counts: ReadonlyMap<string, ClassCounts>, keptFailed: number): MetricJson[] {
    const classes = [...this.#classes]
    const perClass = (name: string, value: (stats: ClassStats, className: string) => number): MetricJson =>
      family(
        name,
        classes.map(([className, stats]) => ({ value: value(stats, className), labels: { class: className } })),
      )
    const durations = (name: string, histogram: (stats: ClassStats) => Histogram): MetricJson =>
      family(
        name,
        classes.flatMap(([className, stats]) => histogramSamples(name, histogram(stats).report(), { class: className })),
      )
    return [
      perClass('polyport_tasks_waiting', (_, name) => counts.get(name)?.waiting ?? 0),
      perClass('polyport_tasks_running', (_, name) => counts.get(name)?.running ?? 0),
      perClass('polyport_tasks_done_total', ({ done }) => done),
      perClass('polyport_tasks_failed_total', ({ failed }) => failed),
      perClass('polyport_tasks_retried_total', ({ retried }) => retried),
      perClass('polyport_tasks_abandoned_total', ({ abandoned }) => abandoned),
      family(
        'polyport_tasks_refused_total',
        Object.entries(this.refused).map(([reason, value]) => ({ value, labels: { reason } })),
      ),
      family('polyport_tasks_kept_failed', [{ value: keptFailed, labels: {} }]),
      durations('polyport_task_queue_seconds', ({ queueSeconds }) => queueSeconds),
      durations('polyport_task_handle_seconds', ({ handleSeconds }) => handleSeconds),
    ]
  }
}
