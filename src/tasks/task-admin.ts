import { inspect } from 'node:util'
import type { Entry } from './entry.ts'
import { decodePayload } from './payload.ts'
import type { PlainError } from './task-messages.ts'
import type { TaskQueue } from './task-queue.ts'
import { decodeRecord, STAGE, type TaskRecord } from './task-record.ts'

/** What `polyport tasks` asks. `which` is the number of a task, or `all` of those that have failed. */
export type TaskQuestion =
  | { readonly verb: 'list'; readonly state: 'waiting' | 'running' | 'failed'; readonly limit: number }
  | { readonly verb: 'show'; readonly id: number }
  | { readonly verb: 'retry' | 'drop'; readonly which: number | 'all' }

/** A task as people see it. Times are ISO 8601. */
export interface TaskView {
  readonly id: number
  readonly class: string
  /** Of what listens to an event. */
  readonly event?: string
  readonly state: 'waiting' | 'running' | 'failed'
  readonly stage: 'handle' | 'finish'
  readonly deliveredAt: string
  readonly due: string
  readonly attempts: number
  readonly tries: number
  /** How often the process that ran it has died. */
  readonly kills: number
  readonly failedAt?: string
  readonly error?: PlainError
}

/** With what `show` has besides. */
export interface TaskDetails extends TaskView {
  /** As `node:util` prints it. */
  readonly input: string
  readonly output?: string
}

export interface TaskAnswer {
  readonly tasks: readonly (TaskView | TaskDetails)[]
  /** How many were retried or dropped. */
  readonly count: number
}

/** @throws RangeError for a task that is not there */
export function answerAdmin(queue: TaskQueue, question: TaskQuestion): TaskAnswer {
  switch (question.verb) {
    case 'list': {
      const tasks = question.state === 'failed' ? failed(queue, question.limit) : living(queue, question.state, question.limit)
      return { tasks, count: tasks.length }
    }
    case 'show':
      return { tasks: [details(queue, question.id)], count: 1 }
    default:
      return { tasks: [], count: change(queue, question.verb, question.which) }
  }
}

function failed(queue: TaskQueue, limit: number): TaskView[] {
  return queue.failed.list(limit).map(({ task, error, failedAt }) => ({ ...view(task, 'failed'), failedAt: iso(failedAt), error }))
}

function living(queue: TaskQueue, state: 'waiting' | 'running', limit: number): TaskView[] {
  let found: Entry[] = []
  for (const entry of queue.book.entries.values()) {
    if (entry.givenAt > 0 === (state === 'running')) found.push(entry)
    // Never all of a million at once: nothing else is done meanwhile.
    if (found.length >= 2 * limit) found = firstOf(found, limit)
  }
  return firstOf(found, limit).flatMap((entry) => {
    const record = queue.book.peek(entry)
    return record === undefined ? [] : [view(decodeRecord(record), state)]
  })
}

function firstOf(entries: readonly Entry[], count: number): Entry[] {
  return entries.toSorted((a, b) => a.due - b.due || a.id - b.id).slice(0, count)
}

function details(queue: TaskQueue, id: number): TaskDetails {
  const kept = queue.failed.get(id)
  if (kept !== undefined) {
    const record = decodeRecord(kept.record)
    return { ...view(record, 'failed'), failedAt: iso(kept.failedAt), error: kept.error, ...contents(record) }
  }
  const entry = queue.book.entries.get(id)
  const bytes = entry === undefined ? undefined : queue.book.peek(entry)
  if (entry === undefined || bytes === undefined) throw new RangeError(`There is no task ${id}: it is done, or was never there`)
  const record = decodeRecord(bytes)
  return { ...view(record, entry.givenAt > 0 ? 'running' : 'waiting'), ...contents(record) }
}

function change(queue: TaskQueue, verb: 'retry' | 'drop', which: number | 'all'): number {
  if (which === 'all') return queue.failed.ids.filter((id) => queue[verb](id)).length
  if (queue[verb](which)) return 1
  const state = queue.book.entries.get(which)
  if (state === undefined) throw new RangeError(`There is no task ${which}: it is done, or was never there`)
  throw new RangeError(verb === 'retry' ? `Task ${which} has not failed: it waits or runs` : `Task ${which} runs: it cannot be dropped now`)
}

function view(record: TaskRecord, state: TaskView['state']): TaskView {
  const { id, className, eventName, stage, deliveredAt, due, attempts, tries, kills } = record
  return {
    id,
    class: className,
    ...(eventName !== '' && { event: eventName }),
    state,
    stage: stage === STAGE.handle ? 'handle' : 'finish',
    deliveredAt: iso(deliveredAt),
    due: iso(due),
    attempts,
    tries,
    kills,
  }
}

function contents({ input, output }: TaskRecord): Pick<TaskDetails, 'input' | 'output'> {
  return { input: print(input), ...(output.length > 0 && { output: print(output) }) }
}

function print(payload: Buffer): string {
  return inspect(decodePayload(payload), { depth: 8, maxArrayLength: 100, maxStringLength: 10_000, breakLength: 100 })
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
