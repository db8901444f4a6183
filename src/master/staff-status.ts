import type { ProcessStatus, StaffStatus, TasksStatus, TimerStatus } from '../admin/status.ts'
import type { MetricsBook } from '../metrics/metrics-book.ts'
import type { TaskStatus } from '../tasks/task-status.ts'
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
    if (view.place?.role !== 'process') return []
    const { messages = 0, errors = 0 } = (statusOf(view, book) as { messages?: number; errors?: number } | undefined) ?? {}
    return { name: view.place.name ?? '', ...staffStatus(view, book), messages, errors }
  })
}

/** The tasks part of the status: what the process that holds them said last; undefined where there is none. */
export function tasksStatus(staff: readonly WorkerView[], book: MetricsBook): TasksStatus | undefined {
  const queue = staff.find(({ place }) => place?.role === 'queue')
  if (queue === undefined) return undefined
  // It was put together by QueueDuty, of this package.
  const said = (statusOf(queue, book) as TaskStatus | undefined) ?? { waiting: 0, running: 0, failed: 0, classes: [] }
  const workers = staff.flatMap((view) => {
    if (view.place?.role !== 'task') return []
    const { tasks = 0 } = (statusOf(view, book) as { tasks?: number } | undefined) ?? {}
    return { ...staffStatus(view, book), tasks }
  })
  return { ...said, workers }
}

function staffStatus({ place, pid = 0, state, startedAt, restarts }: WorkerView, book: MetricsBook): StaffStatus {
  return { index: place?.index ?? 0, pid, state, startedAt: new Date(startedAt).toISOString(), restarts, memory: book.reportOf(pid)?.memory.rss ?? 0 }
}

function statusOf({ status, pid = 0 }: WorkerView, book: MetricsBook): unknown {
  return status ?? book.reportOf(pid)?.duty?.status
}
