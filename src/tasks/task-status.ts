import type { TaskQueue } from './task-queue.ts'

/** What `/api/status` shows of tasks. All but `waiting`, `running` and `failed` of the whole count from the start of the queue's process. */
export interface TaskStatus {
  readonly waiting: number
  readonly running: number
  /** Kept among the failed. */
  readonly failed: number
  readonly classes: readonly TaskClassStatus[]
}

export interface TaskClassStatus {
  readonly name: string
  readonly waiting: number
  readonly running: number
  readonly done: number
  readonly failed: number
  readonly retried: number
  /** Tasks wait, and no module exports the class. */
  readonly missing: boolean
}

export function taskStatus(queue: TaskQueue): TaskStatus {
  const counts = queue.counts()
  const missing = new Set(queue.missing())
  const classes = Array.from(queue.stats.classes, ([name, { done, failed, retried }]) => {
    const { waiting, running } = counts.get(name) ?? { waiting: 0, running: 0 }
    return { name, waiting, running, done, failed, retried, missing: missing.has(name) }
  })
  const sum = (key: 'waiting' | 'running'): number => Array.from(counts.values()).reduce((total, count) => total + count[key], 0)
  return { waiting: sum('waiting'), running: sum('running'), failed: queue.failed.size, classes }
}
