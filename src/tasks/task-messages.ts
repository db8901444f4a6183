import { plainError } from '../ipc/thrown-error.ts'
import type { ClassInfo } from './lane.ts'

/** What the queue and the processes around it say to each other, by topic. Records travel packed (task-record.ts). */
export const TOPIC = {
  /** To the queue: who somebody is and what it can do, whenever one of the two is new. */
  hello: 'task.hello',
  /** From the queue, in answer: it may be delivered to. */
  welcome: 'task.welcome',
  /** To the queue: it is given nothing more. */
  bye: 'task.bye',
  /** To the queue: packed records of new tasks. */
  deliver: 'task.deliver',
  /** From the queue: all deliveries up to a number are on disk. */
  accepted: 'task.accepted',
  refused: 'task.refused',
  /** To the queue: nobody waits for the output of a task any more. */
  forget: 'task.forget',
  /** To the queue: who waits for these ends, and what has not begun is not to begin. */
  revoke: 'task.revoke',
  /** From the queue: packed records of tasks to run, or to finish. */
  run: 'task.run',
  finish: 'task.finish',
  /** To the queue: what has become of them. */
  results: 'task.results',
  finished: 'task.finished',
  /** From the queue: give back what has not begun. To the queue: what that is. */
  recall: 'task.recall',
  returned: 'task.returned',
  /** From the queue: what became of a task that somebody waits for. */
  answer: 'task.answer',
} as const

export interface Hello {
  /** The first number of those that it gives its deliveries; 0 while it has given none. */
  readonly producer: number
  /** What it can do of a stage, and what it is at: missing for a stage that it has no part in. */
  readonly handle?: Skills
  readonly finish?: Skills
}

export interface Welcome {
  /** The highest number of a task that was there when the queue began. */
  readonly highest: number
}

export interface Skills {
  readonly concurrency: number
  readonly classes: readonly ClassInfo[]
  /** Numbers of the tasks that it has. */
  readonly has: readonly number[]
}

/** An error as plain data. */
export interface PlainError {
  readonly name: string
  readonly message: string
  readonly stack?: string
}

/** How a task went in one stage. */
export interface TaskResult {
  readonly id: number
  /** How long it took. */
  readonly ms: number
  /** Encoded; missing where nobody needs it. */
  readonly output?: Uint8Array
  readonly error?: PlainError
}

export interface Refused {
  readonly ids: readonly number[]
  readonly reason: 'full' | 'disk'
  readonly message: string
}

export interface Answer {
  readonly id: number
  readonly output?: Uint8Array
  readonly error?: PlainError
  readonly isTimeout?: boolean
  /** It was revoked in time. */
  readonly isClosed?: boolean
}

const STACK_CHARS = 8192

/** What a task has thrown, as it is told and kept: without a code, and no longer than that. */
export function taskError(error: unknown): PlainError {
  const { name, message, stack } = plainError(error)
  return { name, message, ...(stack !== undefined && { stack: stack.slice(0, STACK_CHARS) }) }
}
