import { checkOptions } from '../arguments.ts'
import type { DeliverOptions } from '../contracts/task.ts'

const MAX_DELAY_MS = 100 * 366 * 24 * 3600 * 1000
const MAX_TRIES = 1_000_000
const BACKOFF_MS = 1000

const KEYS = ['delayMs', 'tries', 'backoffMs']

/** @throws RangeError or TypeError that names what is wrong */
export function deliverOptions(options: DeliverOptions): Required<DeliverOptions> {
  checkOptions('deliver', options, KEYS)
  const { delayMs = 0, tries = 1, backoffMs = BACKOFF_MS } = options
  if (!isTime(delayMs)) throw new RangeError(`Cannot deliver with delayMs ${show(delayMs)}: expected 0 to ${MAX_DELAY_MS}`)
  if (!isTime(backoffMs)) throw new RangeError(`Cannot deliver with backoffMs ${show(backoffMs)}: expected 0 to ${MAX_DELAY_MS}`)
  if (!(Number.isInteger(tries) && tries >= 1 && tries <= MAX_TRIES)) {
    throw new RangeError(`Cannot deliver with tries ${show(tries)}: expected a whole number from 1 to ${MAX_TRIES}`)
  }
  return { delayMs, tries, backoffMs }
}

// A number as text would be put behind the time, not added to it.
function isTime(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= MAX_DELAY_MS
}

function show(value: unknown): string {
  return typeof value === 'string' ? `"${value}"` : String(value)
}
