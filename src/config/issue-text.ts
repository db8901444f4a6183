import type { z } from 'zod'
import type { Finding, Path } from './finding.ts'
import { type JsonSchema, schemaAt } from './json-schema.ts'
import { nearest } from './nearest.ts'

type Issue = z.core.$ZodIssue

/** What the schema found, in sentences: what is wrong, what was expected. */
export function findingsOf(issues: readonly Issue[], value: unknown): Finding[] {
  const misfits = new Set(issues.flatMap(({ code, path }) => (code === 'invalid_type' ? [JSON.stringify(path)] : [])))
  // What is of another type has no length to speak of.
  const telling = issues.filter(({ code, path }) => code === 'invalid_type' || !misfits.has(JSON.stringify(path)))
  return telling.flatMap((issue) => findingsOfIssue(issue, value))
}

function findingsOfIssue(issue: Issue, value: unknown): Finding[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)))
  if (issue.code === 'unrecognized_keys') {
    const properties = schemaAt(path, value)?.properties ?? {}
    // Not at the top, where host and port are those of no port.
    return issue.keys.map((key) => ({ path: [...path, key], message: unknownKey(key, properties, { isTop: path.length === 0 }), isKey: true }))
  }
  if (issue.code === 'invalid_key') {
    return [{ path, message: `the name ${show(path.at(-1))} cannot be used: ${issue.issues[0]?.message ?? 'expected a name'}`, isKey: true }]
  }
  const found = at(value, path)
  if (found === undefined) return [{ path, message: `missing, expected ${expectation(issue)}` }]
  return [{ path, message: `expected ${expectation(issue)}${foundText(issue, found)}${suggestion(issue, found)}` }]
}

function foundText(issue: Issue, found: unknown): string {
  // Text that is too short may be a token: it is not repeated.
  if ((issue.code === 'too_small' || issue.code === 'too_big') && issue.origin === 'string') return ''
  if (Array.isArray(found) && issue.code !== 'invalid_type') return `, found ${found.length}`
  if (issue.code === 'custom') return ''
  if (issue.code === 'invalid_type' && issue.expected === 'string' && found !== null && typeof found !== 'object') return `, found a ${typeof found}`
  return `, found ${show(found)}`
}

function unknownKey(key: string, properties: Readonly<Record<string, JsonSchema>>, { isTop }: { readonly isTop: boolean }): string {
  const known = Object.keys(properties)
  const [parent, ...others] = isTop ? [] : known.filter((name) => hasKey(properties[name], key))
  if (parent !== undefined && others.length === 0) return `unknown key ${show(key)}, did you mean "${parent}.${key}"?`
  const near = nearest(key, known)
  if (near !== undefined) return `unknown key ${show(key)}, did you mean "${near}"?`
  const list = known.map((name) => `"${name}"`).join(', ')
  return known.length === 0 ? `unknown key ${show(key)}` : `unknown key ${show(key)}, expected one of ${list}`
}

/** Whether an object of this schema, or of a branch of it, may have the key. */
function hasKey(schema: JsonSchema | undefined, key: string): boolean {
  if (schema === undefined) return false
  return Object.hasOwn(schema.properties ?? {}, key) || [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])].some((branch) => hasKey(branch, key))
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text in quotes',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object { … }',
  record: 'an object { … }',
  array: 'a list [ … ]',
}

/** What an issue asks for, as it stands behind "expected". */
function expectation(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return TYPES[issue.expected] ?? issue.expected
    case 'invalid_value':
      return oneOf(issue.values)
    case 'too_small':
      return `at least ${String(issue.minimum)}${unit(issue.origin, Number(issue.minimum))}`
    case 'too_big':
      return `at most ${String(issue.maximum)}${unit(issue.origin, Number(issue.maximum))}`
    case 'invalid_union':
      if ('discriminator' in issue && issue.errors.length === 0) return oneOf((issue as { options?: readonly unknown[] }).options ?? [])
      return expectationOfUnion(issue.errors)
    default:
      // The schema's own words, which say what was expected.
      return issue.message.replace(/^expected /, '')
  }
}

function expectationOfUnion(branches: readonly (readonly Issue[])[]): string {
  const first = branches.flatMap((branch) => branch[0] ?? [])
  if (first.every((issue) => issue.code === 'invalid_value')) return oneOf(first.flatMap((issue) => issue.values))
  return first.map(expectation).join(' or ')
}

function unit(origin: string, count: number): string {
  if (origin === 'string') return count === 1 ? ' character' : ' characters'
  if (origin === 'array') return count === 1 ? ' entry' : ' entries'
  return ''
}

function oneOf(values: readonly unknown[]): string {
  const texts = values.map((value) => JSON.stringify(value))
  return texts.length === 1 ? (texts[0] ?? '') : `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)}`
}

function suggestion(issue: Issue, found: unknown): string {
  if (typeof found !== 'string') return ''
  const values =
    issue.code === 'invalid_value' ? issue.values : issue.code === 'invalid_union' ? ((issue as { options?: readonly unknown[] }).options ?? []) : []
  const near = nearest(
    found,
    values.filter((value) => typeof value === 'string'),
  )
  return near === undefined ? '' : `, did you mean "${near}"?`
}

/** A value as a message shows it: short, and only what the file itself says. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

/** The value at a path; undefined when there is none. */
export function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (node, part) => (typeof node === 'object' && node !== null && Object.hasOwn(node, part) ? (node as Record<string | number, unknown>)[part] : undefined),
    value,
  )
}
