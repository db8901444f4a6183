import { valueText } from '../value-text.ts'

/** Of the name of a counter, a user or a group. */
export const MAX_NAME_BYTES = 400

/** The bytes of the name of a counter, a user or a group; undefined when nothing can have this name. */
export function nameBytes(name: string): Buffer | undefined {
  if (typeof name !== 'string' || !name.isWellFormed()) return undefined
  const bytes = Buffer.from(name)
  return bytes.length > 0 && bytes.length <= MAX_NAME_BYTES ? bytes : undefined
}

/** @throws RangeError when nothing can have this name */
export function newNameBytes(what: string, name: string): Buffer {
  const bytes = nameBytes(name)
  if (bytes !== undefined) return bytes
  throw new RangeError(`Cannot use ${valueText(name)} as the name of a ${what}: expected a well-formed string of 1 to ${MAX_NAME_BYTES} bytes`)
}
