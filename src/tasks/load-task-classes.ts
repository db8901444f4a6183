import { formatPath } from '../config/finding.ts'
import { nearest } from '../config/nearest.ts'
import type { Config } from '../config/schema.ts'
import type { EventsConfig } from '../config/task-schema.ts'
import { type AsyncEvent, EVENT } from '../contracts/event.ts'
import type { Problem } from '../errors.ts'
import { isClass } from '../modules/exported.ts'
import { importModule } from '../modules/import-module.ts'
import { isTaskClass, listenerOf, type Runnable, taskOf } from './task-class.ts'

type Exports = Readonly<Record<string, unknown>>
type EventClass = (new (data: unknown) => AsyncEvent) & { readonly name: string }

/** What the modules of `tasks` and `events` have, by name. */
export interface TaskClasses {
  readonly runnables: ReadonlyMap<string, Runnable>
  readonly events: ReadonlyMap<string, EventClass>
}

/** A class, and where it is from. */
interface Found<T> {
  readonly type: T
  readonly file: string
  readonly path: string
}

/** Imports the modules of `tasks` and `events` and checks what they export. @returns what is whole, and every mistake in the rest */
export async function loadTaskClasses(config: Config): Promise<TaskClasses & { problems: Problem[] }> {
  const problems: Problem[] = []
  const ofTasks = await load(config.tasks?.modules ?? [], 'tasks', config.dir, problems)
  const ofEvents = await load(config.events?.modules ?? [], 'events', config.dir, problems)
  const tasks = tasksIn(ofTasks, { listening: config.events?.modules ?? [], problems })
  const { events, listeners } =
    config.events === undefined ? { events: new Map(), listeners: new Map() } : eventsIn(ofEvents, { config, section: config.events, problems })
  const runnables = new Map<string, Runnable>()
  for (const [name, { type, ...place }] of tasks) take(name, taskOf(type), place)
  for (const [name, { type, ...place }] of listeners as Map<string, Found<new () => object>>) {
    const task = tasks.get(name)
    if (task !== undefined) problems.push({ ...place, message: `${name} is a task in ${task.file} already, expected a name of its own` })
    else take(name, listenerOf(type), place)
  }
  return { runnables, events, problems }

  function take(name: string, made: Runnable | string[], place: { file: string; path: string }): void {
    if (Array.isArray(made)) problems.push(...made.map((message) => ({ ...place, message: `${name}: ${message}` })))
    else runnables.set(name, made)
  }
}

async function load(modules: readonly string[], section: string, dir: string, problems: Problem[]): Promise<Found<Exports>[]> {
  const found: Found<Exports>[] = []
  for (const [index, name] of modules.entries()) {
    const place = { file: name, path: `${section}.modules[${index}]` }
    const module = await importModule(name, dir)
    if ('mistakes' in module) problems.push(...module.mistakes.map((mistake) => ({ ...place, ...mistake })))
    else found.push({ type: module.value, ...place })
  }
  return found
}

/** @param parts `listening`: modules that may also export what listens to events, which has a method handle, too */
function tasksIn(
  modules: readonly Found<Exports>[],
  { listening, problems }: { listening: readonly string[]; problems: Problem[] },
): Map<string, Found<new (input: unknown) => never>> {
  const tasks = new Map()
  for (const { type: exports, ...place } of modules) {
    let isAny = false
    for (const [key, value] of Object.entries(exports)) {
      if (isTaskClass(value)) {
        isAny = true
        add(tasks, value, { key, what: 'task', place, problems })
      } else if (!listening.includes(place.file) && isClass(value) && typeof (value as { prototype?: { handle?: unknown } }).prototype?.handle === 'function') {
        isAny = true
        problems.push({ ...place, message: `${key} has a method handle and does not extend Task, expected "class ${key} extends Task"` })
      }
    }
    if (!isAny) problems.push({ ...place, message: 'there is no task, expected an exported class that extends Task' })
  }
  return tasks
}

function eventsIn(
  modules: readonly Found<Exports>[],
  { config, section, problems }: { config: Config; section: EventsConfig; problems: Problem[] },
): { events: Map<string, EventClass>; listeners: Map<string, Found<new () => object>> } {
  const isWhole = modules.length === section.modules.length
  const classes = new Map<string, Found<new () => object>>()
  const found = new Map<string, Found<EventClass>>()
  for (const { type: exports, ...place } of modules) {
    for (const [key, value] of Object.entries(exports)) {
      if (!isClass(value)) continue
      if (isEventClass(value)) add(found, value, { key, what: 'event', place, problems })
      else add(classes, value as new () => object, { key, what: 'listener', place, problems })
    }
  }
  const events = new Map(Array.from(found, ([name, { type }]) => [name, type]))
  const listeners = new Map<string, Found<new () => object>>()
  for (const [event, names] of Object.entries(section.listeners)) {
    const path = formatPath(['events', 'listeners', event])
    if (!events.has(event) && isWhole)
      problems.push({
        file: config.file,
        path,
        message: `no module of events exports an event "${event}"${remedy(event, [...events.keys()], 'an exported class that extends AsyncEvent')}`,
      })
    for (const [index, name] of names.entries()) {
      const listener = classes.get(name)
      const place = { file: config.file, path: `${path}[${index}]` }
      if (names.indexOf(name) < index) problems.push({ ...place, message: `"${name}" is there already, expected each listener once` })
      else if (listener !== undefined && isTaskClass(listener.type))
        problems.push({ ...place, message: `${name} extends Task, expected a class that does not, with a method handle(event)` })
      else if (listener !== undefined) listeners.set(name, listener)
      else if (isWhole)
        problems.push({
          ...place,
          message: `no module of events exports a class "${name}"${remedy(name, [...classes.keys()], 'an exported class with a method handle')}`,
        })
    }
  }
  return { events, listeners }
}

function add<T extends { readonly name: string }>(
  classes: Map<string, Found<T>>,
  type: T,
  { key, what, place, problems }: { key: string; what: string; place: { file: string; path: string }; problems: Problem[] },
): void {
  const { name } = type
  const other = classes.get(name)
  if (name === '' || name === 'default') problems.push({ ...place, message: `the class that is exported as ${key} has no name, by which it would be known` })
  else if (other === undefined) classes.set(name, { type, ...place })
  else if (other.type !== type) problems.push({ ...place, message: `there is a ${what} ${name} in ${other.file} already, expected a name of its own` })
}

function isEventClass(value: unknown): value is EventClass {
  return typeof value === 'function' && (value as { [EVENT]?: unknown })[EVENT] === true && !Object.hasOwn(value, EVENT)
}

function remedy(name: string, known: readonly string[], expected: string): string {
  const near = nearest(name, known)
  return near === undefined ? `, expected ${expected}` : `, did you mean "${near}"?`
}
