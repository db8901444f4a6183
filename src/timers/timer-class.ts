import { Cron } from 'croner'
import { nearest } from '../config/nearest.ts'
import type { Config } from '../config/schema.ts'
import type { TimerJobConfig } from '../config/work-schema.ts'
import { TIMER, type Timer } from '../contracts/timer.ts'
import type { Problem } from '../errors.ts'
import { constructorMistake } from '../modules/constructor-mistake.ts'
import { isClass, kindOf, meantBy, membersOf } from '../modules/exported.ts'
import { thrown } from '../modules/import-mistake.ts'
import { importModule } from '../modules/import-module.ts'
import type { Mistake, Outcome } from '../modules/mistake.ts'
import type { Clock } from './clock.ts'
import { CronTimetable, IntervalTimetable, type Timetable } from './timetable.ts'

/** A timer of the user's, checked and constructed, with the parameters that hold for it. */
export interface LoadedTimer {
  readonly name: string
  readonly timer: Timer
  readonly options: Record<string, unknown>
  readonly immediate: boolean
  readonly overlap: boolean
  /** For people: `every 500 ms`, or the cron expression. */
  readonly when: string
  /** @param due when the timer process before this one would have run it next */
  readonly timetable: (clock: Clock, due?: number) => Timetable
}

interface Found {
  readonly name: string
  readonly type: new () => object
  /** The module, and its place in the config. */
  readonly file: string
  readonly path: string
}

const METHODS = ['run', 'stop']
// Whose absence is told in any case, and those that have a default. A member of the user's own may well be called intervals.
const RHYTHM = ['interval', 'schedule']
const PARAMETERS = ['timezone', 'immediate', 'overlap']
const MAX_INTERVAL_MS = 366 * 24 * 60 * 60 * 1000

/**
 * Imports the modules of `timers`, checks and constructs every timer in them. Nothing runs yet.
 * @returns the timers that are whole and enabled, and every mistake in the others
 */
export async function loadTimers({
  timers: config,
  file,
  dir,
}: Pick<Config, 'timers' | 'file' | 'dir'>): Promise<{ timers: LoadedTimer[]; problems: Problem[] }> {
  if (config === undefined) return { timers: [], problems: [] }
  const problems: Problem[] = []
  const found = new Map<string, Found>()
  for (const [index, name] of config.modules.entries()) {
    const module = await importModule(name, dir)
    const place = { file: name, path: `timers.modules[${index}]` }
    const { classes, mistakes } = 'mistakes' in module ? { classes: [], mistakes: module.mistakes } : timerClasses(module.value)
    problems.push(...mistakes.map((mistake) => ({ ...place, ...mistake })))
    for (const type of classes) {
      const other = found.get(type.name)
      if (other === undefined) found.set(type.name, { name: type.name, type, ...place })
      else if (other.type !== type) problems.push({ ...place, message: `there is a timer ${type.name} in ${other.file} already, expected a name of its own` })
    }
  }
  const jobs = new Map(config.jobs.map((job) => [job.class, job]))
  problems.push(...unknownJobs(config.jobs, { file, known: [...found.keys()], isWhole: problems.length === 0 }))
  const timers: LoadedTimer[] = []
  for (const one of found.values()) {
    const job = jobs.get(one.name)
    const made = makeTimer(one, job, { file, path: `timers.jobs[${config.jobs.findIndex(({ class: name }) => name === one.name)}]` })
    if ('mistakes' in made)
      problems.push(...made.mistakes.map(({ message, ...place }) => ({ file: one.file, path: one.path, ...place, message: `timer ${one.name}: ${message}` })))
    else if (job?.enabled !== false) timers.push(made.value)
  }
  return { timers, problems }
}

/** Every timer class that a module exports, each once. */
function timerClasses(exports: Readonly<Record<string, unknown>>): { classes: (new () => object)[]; mistakes: Mistake[] } {
  const classes = new Set<new () => object>()
  const mistakes: Mistake[] = []
  for (const [name, value] of Object.entries(exports)) {
    if (!isClass(value)) continue
    const type = value as new () => object
    if ((type as { [TIMER]?: unknown })[TIMER] === true) {
      if (type.name === '' || type.name === 'default')
        mistakes.push({ message: `the class that is exported as ${name} has no name, by which it would be known` })
      else classes.add(type)
    } else if (typeof (type.prototype as { run?: unknown }).run === 'function') {
      mistakes.push({ message: `${name} has a method run and does not extend Timer, expected "class ${name} extends Timer"` })
    }
  }
  if (classes.size === 0 && mistakes.length === 0) mistakes.push({ message: 'there is no timer, expected an exported class that extends Timer' })
  return { classes: [...classes], mistakes }
}

function unknownJobs(jobs: readonly TimerJobConfig[], { file, known, isWhole }: { file: string; known: readonly string[]; isWhole: boolean }): Problem[] {
  return jobs.flatMap((job, index) => {
    // It may be in the module that could not be read.
    if (known.includes(job.class) || !isWhole) return []
    const near = nearest(job.class, known)
    const remedy = near === undefined ? `expected one of ${known.map((name) => `"${name}"`).join(', ')}` : `did you mean "${near}"?`
    return [{ file, path: `timers.jobs[${index}].class`, message: `no module of timers has a timer "${job.class}", ${remedy}` }]
  })
}

/** @param place of the job in the config */
function makeTimer({ name, type }: Found, job: TimerJobConfig | undefined, place: { readonly file: string; readonly path: string }): Outcome<LoadedTimer> {
  let timer: Timer
  try {
    timer = new type() as Timer
  } catch (error) {
    return { mistakes: [constructorMistake(error, '')] }
  }
  const mistakes = [...wrongMethods(timer), ...misspelt(timer)]
  const { immediate = timer.immediate, overlap = timer.overlap } = job ?? {}
  for (const [key, value] of Object.entries({ immediate, overlap })) {
    if (typeof value !== 'boolean') mistakes.push({ message: `${key} is ${kindOf(value)}, expected true or false` })
  }
  const rhythm = rhythmOf(timer, job)
  if (rhythm.timetable === undefined) mistakes.push({ message: rhythm.message, ...(isOverridden(job) && place) })
  if (rhythm.timetable === undefined || mistakes.length > 0) return { mistakes }
  return { value: { name, timer, options: job?.options ?? {}, immediate, overlap, when: rhythm.when, timetable: rhythm.timetable } }
}

function wrongMethods(timer: Timer): Mistake[] {
  if (typeof (timer as { run?: unknown }).run === 'function') return []
  const near = [...membersOf(timer)].find((name) => name !== 'constructor' && !METHODS.includes(name) && meantBy(name.replace(/^on/i, ''), ['run']) === 'run')
  return [{ message: `there is no method run, which every timer must have${near === undefined ? '' : `: did you mean run instead of ${near}?`}` }]
}

function misspelt(timer: Timer): Mistake[] {
  return [...membersOf(timer)].flatMap((name) => {
    const meant = PARAMETERS.includes(name) ? undefined : meantBy(name, PARAMETERS)
    return meant === undefined ? [] : [{ message: `nothing reads ${name}, did you mean ${meant}?` }]
  })
}

type Rhythm = { readonly when: string; readonly timetable: LoadedTimer['timetable'] } | { readonly timetable: undefined; readonly message: string }

/** The config's interval or schedule takes the place of either of the class. */
function rhythmOf(timer: Timer, job: TimerJobConfig | undefined): Rhythm {
  const { interval, schedule }: { readonly interval?: unknown; readonly schedule?: unknown } = isOverridden(job) ? job : timer
  const timezone: unknown = job?.timezone ?? timer.timezone
  if (interval === undefined && schedule === undefined) return wrong(`there is neither interval nor schedule, expected one of them${rhythmInstead(timer)}`)
  if (interval !== undefined && schedule !== undefined) return wrong('there is an interval and a schedule, expected one of them')
  if (schedule !== undefined) return bySchedule(schedule, timezone)
  if (typeof interval !== 'number') return wrong(`interval is ${kindOf(interval)}, expected a number of milliseconds`)
  if (!(interval >= 1 && interval <= MAX_INTERVAL_MS)) return wrong(`interval is ${interval}, expected 1 to ${MAX_INTERVAL_MS} milliseconds`)
  return { when: `every ${interval} ms`, timetable: (clock) => new IntervalTimetable(clock, interval) }
}

function isOverridden(job: TimerJobConfig | undefined): job is TimerJobConfig {
  return job?.interval !== undefined || job?.schedule !== undefined
}

function rhythmInstead(timer: Timer): string {
  for (const name of membersOf(timer)) {
    const meant = RHYTHM.includes(name) ? undefined : meantBy(name, RHYTHM)
    if (meant !== undefined) return `: did you mean ${meant} instead of ${name}?`
  }
  return ''
}

function bySchedule(schedule: unknown, timezone: unknown): Rhythm {
  if (typeof schedule !== 'string') return wrong(`schedule is ${kindOf(schedule)}, expected a cron expression`)
  if (timezone !== undefined && typeof timezone !== 'string') return wrong(`timezone is ${kindOf(timezone)}, expected a name such as "Europe/Berlin"`)
  if (timezone !== undefined && !isTimezone(timezone)) return wrong(`there is no time zone "${timezone}", expected a name such as "Europe/Berlin"`)
  try {
    const cron = new Cron(schedule, { paused: true, ...(timezone !== undefined && { timezone }) })
    if (cron.nextRun() === null) return wrong(`schedule "${schedule}" names no time that is still to come`)
    return { when: timezone === undefined ? schedule : `${schedule} (${timezone})`, timetable: (clock, due) => new CronTimetable(clock, cron, due) }
  } catch (error) {
    return wrong(`schedule "${schedule}" is no cron expression: ${thrown(error).message.replace(/^CronPattern: /, '')}`)
  }
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

function wrong(message: string): { timetable: undefined; message: string } {
  return { timetable: undefined, message }
}
