import { valueText } from '../value-text.ts'
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

/** What was thrown, whatever it is: a task that fails has failed, also where its error has no text, or members that cannot travel. */
export function plainError(error: unknown): PlainError {
  try {
    if (!(error instanceof Error)) return { name: 'Error', message: typeof error === 'string' ? error : valueText(error) }
    const { name, message, stack } = error as { readonly name: unknown; readonly message: unknown; readonly stack?: unknown }
    return { name: textOf(name), message: textOf(message), ...(typeof stack === 'string' && { stack: stack.slice(0, STACK_CHARS) }) }
  } catch {
    return { name: 'Error', message: 'an error that cannot be read' }
  }
}

function textOf(member: unknown): string {
  return typeof member === 'string' ? member : valueText(member)
}

/** An error like the one that was thrown in another process. */
export function thrownThere({ name, message, stack }: PlainError): Error {
  const error = new Error(message)
  error.name = name
  if (stack !== undefined) error.stack = stack
  return error
}
