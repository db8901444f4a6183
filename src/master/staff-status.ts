import type { ProcessStatus, TimerStatus } from '../admin/status.ts'
import type { MetricsBook } from '../metrics/metrics-book.ts'
import type { WorkerView } from './overview.ts'

/** The timers part of the status: what the timer process said last. */
export function timerStatuses(staff: readonly WorkerView[], book: MetricsBook): TimerStatus[] {
  const view = staff.find(({ place, state }) => place?.role === 'timer' && state !== 'draining')
  const said = view === undefined ? undefined : statusOf(view, book)
  // It was put together by TimerDuty, of this package.
  const timers = Array.isArray(said) ? (said as Omit<TimerStatus, 'pid'>[]) : []
  return timers.map((timer) => ({ ...timer, pid: view?.pid ?? 0 }))
}

/** The processes part of the status. */
export function processStatuses(staff: readonly WorkerView[], book: MetricsBook): ProcessStatus[] {
  return staff.flatMap((view) => {
    const { place, pid = 0, state, startedAt, restarts } = view
    if (place?.role !== 'process') return []
    const counted = statusOf(view, book) as { messages?: number; errors?: number } | undefined
    return {
      name: place.name ?? '',
      index: place.index,
      pid,
      state,
      startedAt: new Date(startedAt).toISOString(),
      restarts,
      memory: book.reportOf(pid)?.memory.rss ?? 0,
      messages: counted?.messages ?? 0,
      errors: counted?.errors ?? 0,
    }
  })
}

function statusOf({ status, pid = 0 }: WorkerView, book: MetricsBook): unknown {
  return status ?? book.reportOf(pid)?.duty?.status
}
