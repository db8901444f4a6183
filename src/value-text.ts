import { inspect } from './node-util.ts'

/** Any value on one line, for a message that says what was found: whatever it is and however long. */
export function valueText(value: unknown): string {
  return inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY, maxStringLength: 60, maxArrayLength: 8 })
}
