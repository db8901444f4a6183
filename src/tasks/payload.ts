import { deserialize, serialize } from 'node:v8'
import { TaskInputError } from '../errors.ts'
import { isPlainJson } from './plain-json.ts'

/** What travels in a task: structured clone, by way of JSON where that makes no difference. So Map, Set, Date, RegExp, Error, BigInt, Buffer, typed arrays and cycles come out as they went in. */

// What v8.serialize begins with, and no JSON.
const SERIALIZED = 0xff

/**
 * @param name what the value is called in a message
 * @throws TaskInputError that names what cannot be cloned, or says that it is too large
 */
export function encodePayload(value: unknown, name: string, maxBytes: number): Buffer {
  let bytes: Buffer
  try {
    bytes = isPlainJson(value) ? Buffer.from(JSON.stringify(value)) : serialize(value)
  } catch (error) {
    throw new TaskInputError(`Cannot put ${culprit(value, name)} into a task: it cannot be cloned`, { cause: error })
  }
  if (bytes.length > maxBytes) {
    throw new TaskInputError(`Cannot put ${name} into a task: it has ${bytes.length} bytes, and tasks.maxPayload is ${maxBytes}`)
  }
  return bytes
}

export function decodePayload(bytes: Buffer): unknown {
  return bytes[0] === SERIALIZED ? deserialize(bytes) : JSON.parse(bytes.toString())
}

/** The innermost part that cannot be cloned, with its path and kind: `input.user.callback: a function`. */
function culprit(value: unknown, name: string): string {
  let path = name
  let current = value
  const seen = new Set<unknown>()
  for (;;) {
    if (typeof current !== 'object' || current === null || seen.has(current)) return `${path}: ${kindOf(current)}`
    seen.add(current)
    const inner = partsOf(current).find(([, part]) => !seen.has(part) && !isCloneable(part))
    if (inner === undefined) return `${path}: ${kindOf(current)}`
    path += inner[0]
    current = inner[1]
  }
}

function partsOf(value: object): [string, unknown][] {
  if (value instanceof Map) {
    return [...value].flatMap(([key, part]): [string, unknown][] => [
      [` (a key of the Map)`, key],
      [`.get(${typeof key === 'string' ? JSON.stringify(key) : String(typeof key)})`, part],
    ])
  }
  if (value instanceof Set) return Array.from(value, (part) => [' (a member of the Set)', part])
  return Object.keys(value).map((key) => {
    const place = Array.isArray(value) ? `[${key}]` : /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
    return [place, read(value, key)]
  })
}

function isCloneable(value: unknown): boolean {
  try {
    serialize(value)
    return true
  } catch {
    return false
  }
}

function read(value: object, key: string): unknown {
  try {
    return (value as Record<string, unknown>)[key]
  } catch {
    // A getter that throws: the value that holds it is the culprit.
    return undefined
  }
}

function kindOf(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    const name = (value.constructor as { name?: unknown } | undefined)?.name
    return typeof name === 'string' && name !== '' && name !== 'Object' ? `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}` : 'an object'
  }
  return `a ${typeof value}`
}
