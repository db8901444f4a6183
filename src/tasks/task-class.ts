import { nearest } from '../config/nearest.ts'
import { TASK, type Task } from '../contracts/task.ts'
import { kindOf, meantBy, membersOf } from '../modules/exported.ts'
import type { ClassInfo } from './lane.ts'

/** What can be run under a name: a task, or what listens to events. */
export interface Runnable extends ClassInfo {
  readonly isListener: boolean
  readonly hasFinish: boolean
  /** Constructs it with its input, or with nothing to listen. */
  readonly make: (input: unknown) => RunnableObject
}

/** As much of a user's object as is used. */
export interface RunnableObject {
  handle(input: unknown): unknown
  finish?(output: unknown, input: unknown): unknown
}

const CALLBACKS = ['handle', 'finish']
// What is written for a static, and which it is then.
const STATICS: Readonly<Record<string, string>> = { concurrency: 'concurrency', timeoutMs: 'timeoutMs', timeout: 'timeoutMs' }

/** Whether a value is a class that extends Task, of whatever copy of this package; Task itself is none. */
export function isTaskClass(value: unknown): value is (new (input: unknown) => Task) & { readonly name: string } {
  return typeof value === 'function' && (value as { [TASK]?: unknown })[TASK] === true && !Object.hasOwn(value, TASK)
}

/** @returns the class as it is run, or every mistake in it */
export function taskOf(type: new (input: unknown) => Task): Runnable | string[] {
  return runnable(type, {
    isListener: false,
    make: (input) => {
      const task = new type(input)
      // A constructor of the user's may take something else.
      if (task.input !== input) Object.assign(task, { input })
      return task
    },
  })
}

export function listenerOf(type: new () => object): Runnable | string[] {
  return runnable(type, { isListener: true, make: () => new type() as RunnableObject })
}

function runnable(type: new (input: never) => object, parts: Pick<Runnable, 'isListener' | 'make'>): Runnable | string[] {
  const prototype = type.prototype as Readonly<Record<string, unknown>>
  const { concurrency = 0, timeoutMs = 0 } = type as { concurrency?: unknown; timeoutMs?: unknown }
  const mistakes = CALLBACKS.flatMap((name) => {
    const value = prototype[name]
    return value === undefined || typeof value === 'function' ? [] : [`${name} is ${kindOf(value)}, expected a method`]
  })
  if (prototype['handle'] === undefined)
    mistakes.push(`there is no method handle, which every ${parts.isListener ? 'listener' : 'task'} must have${near(prototype)}`)
  if (concurrency !== 0 && !(Number.isInteger(concurrency) && Number(concurrency) > 0))
    mistakes.push(`static concurrency is ${show(concurrency)}, expected a whole number over 0`)
  if (timeoutMs !== 0 && !(typeof timeoutMs === 'number' && timeoutMs > 0))
    mistakes.push(`static timeoutMs is ${show(timeoutMs)}, expected a number of milliseconds over 0`)
  mistakes.push(...misspelt(type, parts))
  if (mistakes.length > 0) return mistakes
  return { name: type.name, concurrency: Number(concurrency), timeoutMs: Number(timeoutMs), hasFinish: !parts.isListener && 'finish' in prototype, ...parts }
}

/** What would be left alone without a word. */
function misspelt(type: new (input: never) => object, { isListener }: { readonly isListener: boolean }): string[] {
  const statics = Object.getOwnPropertyNames(type).flatMap((name) => {
    const meant = name === 'concurrency' || name === 'timeoutMs' ? undefined : STATICS[meantBy(name, Object.keys(STATICS)) ?? '']
    return meant === undefined || Object.hasOwn(type, meant) ? [] : [`nothing reads static ${name}, did you mean ${meant}?`]
  })
  const members = membersOf(type.prototype as object)
  if (isListener || members.has('finish')) return statics
  const callbacks = [...members].filter((name) => nearest(name.replace(/^on/i, ''), ['finish'], 1) !== undefined)
  return [...statics, ...callbacks.map((name) => `nothing calls ${name}, did you mean finish?`)]
}

function near(prototype: object): string {
  const name = [...membersOf(prototype)].find((member) => member !== 'constructor' && meantBy(member.replace(/^on/i, ''), ['handle']) === 'handle')
  return name === undefined ? '' : `: did you mean handle instead of ${name}?`
}

function show(value: unknown): string {
  return typeof value === 'number' ? String(value) : kindOf(value)
}
