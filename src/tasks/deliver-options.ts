import type { DeliverOptions } from '../contracts/task.ts'

const MAX_DELAY_MS = 100 * 366 * 24 * 3600 * 1000
const MAX_TRIES = 1_000_000
const BACKOFF_MS = 1000

/** @throws RangeError that names what is wrong */
export function deliverOptions({ delayMs = 0, tries = 1, backoffMs = BACKOFF_MS }: DeliverOptions): Required<DeliverOptions> {
  if (!(delayMs >= 0 && delayMs <= MAX_DELAY_MS)) throw new RangeError(`Cannot deliver with delayMs ${delayMs}: expected 0 to ${MAX_DELAY_MS}`)
  if (!(backoffMs >= 0 && backoffMs <= MAX_DELAY_MS)) throw new RangeError(`Cannot deliver with backoffMs ${backoffMs}: expected 0 to ${MAX_DELAY_MS}`)
  if (!(Number.isInteger(tries) && tries >= 1 && tries <= MAX_TRIES)) {
    throw new RangeError(`Cannot deliver with tries ${tries}: expected a whole number from 1 to ${MAX_TRIES}`)
  }
  return { delayMs, tries, backoffMs }
}
