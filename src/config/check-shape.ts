import type { z } from 'zod'
import type { Finding, Path } from './finding.ts'
import type { Sources } from './interpolate.ts'
import { at, findingsOf } from './issue-text.ts'
import { asFarAsRight, NO_WORDS, type PortPlace, placeOf } from './port-shape.ts'
import { changed } from './replace.ts'
import { ConfigSchema } from './schema.ts'
import { processSchema } from './work-schema.ts'

export type Parsed = z.output<typeof ConfigSchema>
export type ParsedPort = Parsed['ports'][number]
export type ParsedAdmin = NonNullable<Parsed['admin']>
export type ParsedTasks = NonNullable<Parsed['tasks']>
export type ParsedEvents = NonNullable<Parsed['events']>
export type ParsedTimers = NonNullable<Parsed['timers']>
export type ParsedProcess = Parsed['processes'][string]

/** An entry that fits the schema, with the input that it was made of: defaults hide what was not written. */
export interface Shaped<T> {
  readonly path: Path
  readonly given: unknown
  readonly value: T
}

/** What of a config fits the schema. Cross-field rules look at these parts, also where others are wrong. */
export interface Shape {
  /** The whole; absent when any of it does not fit. */
  readonly parsed: Parsed | undefined
  readonly findings: readonly Finding[]
  /** Also those with mistakes that leave the rest of them as it is; defaults stand for what is wrong there. */
  readonly ports: readonly Shaped<ParsedPort>[]
  /** What each port says of its name and address, as far as that is right. */
  readonly places: readonly PortPlace[]
  readonly admin: Shaped<ParsedAdmin> | undefined
  readonly runtimeDir: string | undefined
  readonly user: string | undefined
  readonly group: string | undefined
  readonly tasks: Shaped<ParsedTasks> | undefined
  readonly events: Shaped<ParsedEvents> | undefined
  readonly timers: Shaped<ParsedTimers> | undefined
  readonly processes: readonly Shaped<ParsedProcess>[]
  readonly lifecycle: Shaped<readonly string[]> | undefined
}

/**
 * Holds a value against the schema.
 * @param sources where variables were filled in: a number or boolean that one `${…}` gave as text is turned into one
 */
export function checkShape(input: unknown, sources: Sources): Shape {
  let value = input
  let result = ConfigSchema.safeParse(value, NO_WORDS)
  if (!result.success && sources.size > 0) {
    value = converted(value, result.error.issues, sources)
    result = ConfigSchema.safeParse(value, NO_WORDS)
  }
  const issues = result.success ? [] : result.error.issues
  const known = withoutUnknownKeys(value, issues)
  const entries = list(at(known, ['ports']))
  return {
    parsed: result.data,
    // What a variable holds may be secret: messages show its name.
    findings: findingsOf(issues, withSources(value, sources)),
    ports: entries.flatMap((given, index) => asFarAsRight(given, ['ports', index])),
    places: entries.map((given, index) => placeOf(given, ['ports', index])),
    admin: shaped(ConfigSchema.shape.admin.unwrap(), at(known, ['admin']), ['admin'])[0],
    runtimeDir: ConfigSchema.shape.runtimeDir.safeParse(at(known, ['runtimeDir']), NO_WORDS).data,
    user: ConfigSchema.shape.user.safeParse(at(known, ['user']), NO_WORDS).data,
    group: ConfigSchema.shape.group.safeParse(at(known, ['group']), NO_WORDS).data,
    tasks: shaped(ConfigSchema.shape.tasks.unwrap(), at(known, ['tasks']), ['tasks'])[0],
    events: shaped(ConfigSchema.shape.events.unwrap(), at(known, ['events']), ['events'])[0],
    timers: shaped(ConfigSchema.shape.timers.unwrap(), at(known, ['timers']), ['timers'])[0],
    processes: members(at(known, ['processes'])).flatMap(([name, given]) => shaped(processSchema, given, ['processes', name])),
    lifecycle: shaped(ConfigSchema.shape.lifecycle, at(known, ['lifecycle']), ['lifecycle'])[0],
  }
}

function shaped<T>(schema: z.ZodType<T>, given: unknown, path: Path): Shaped<T>[] {
  const result = schema.safeParse(given, NO_WORDS)
  return result.success ? [{ path, given, value: result.data }] : []
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function members(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : []
}

function converted(value: unknown, issues: readonly z.core.$ZodIssue[], sources: Sources): unknown {
  return changed(
    value,
    issues.flatMap((issue) => {
      const path = issue.path as (string | number)[]
      const text = at(value, path)
      if (typeof text !== 'string' || !/^\$\{[^}]*\}$/.test(sources.get(JSON.stringify(path)) ?? '')) return []
      const wanted = typesOf(issue)
      if (wanted.has('number') && /^-?\d+(\.\d+)?$/.test(text)) return [[path, (): unknown => Number(text)] as const]
      if (wanted.has('boolean') && (text === 'true' || text === 'false')) return [[path, (): unknown => text === 'true'] as const]
      return []
    }),
  )
}

/** The types that would have fitted. */
function typesOf(issue: z.core.$ZodIssue): Set<string> {
  if (issue.code === 'invalid_type') return new Set([issue.expected === 'int' ? 'number' : issue.expected])
  if (issue.code === 'invalid_value') return new Set(issue.values.map((value) => typeof value))
  if (issue.code === 'invalid_union') return new Set(issue.errors.flatMap((branch) => branch.flatMap((inner) => [...typesOf(inner)])))
  return new Set()
}

function withSources(value: unknown, sources: Sources): unknown {
  return changed(
    value,
    Array.from(sources, ([path, source]) => [JSON.parse(path) as (string | number)[], () => source] as const),
  )
}

function withoutUnknownKeys(value: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  return changed(
    value,
    issues.flatMap((issue) => {
      if (issue.code !== 'unrecognized_keys') return []
      const unknown = new Set(issue.keys)
      const known = (entry: unknown): unknown => Object.fromEntries(Object.entries(entry as object).filter(([key]) => !unknown.has(key)))
      return [[issue.path as (string | number)[], known] as const]
    }),
  )
}
