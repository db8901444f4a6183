import { placeText } from '../ipc/place.ts'
import type { Slot } from './slot.ts'

/** Why the daemon is not ready, though it runs: a place without a process that is, or a worker that lets nobody in. Undefined when it is ready. */
export function whyNotReady(workers: readonly Slot[], staff: readonly Slot[]): string | undefined {
  const missing = missingOf(workers, ({ index }) => `${index}`)
  if (missing !== undefined) return `worker ${missing} does not listen yet`
  const overloaded = workers.filter(({ current }) => current?.report?.isOverloaded === true)
  if (overloaded.length > 0) return `worker ${overloaded.map(({ index }) => index).join(', ')} is overloaded`
  const idle = missingOf(staff, ({ place }) => placeText(place))
  return idle === undefined ? undefined : `${idle} does not run yet`
}

function missingOf(slots: readonly Slot[], nameOf: (slot: Slot) => string): string | undefined {
  const waiting = slots.filter((slot) => !slot.isReady)
  if (waiting.length === 0) return undefined
  return waiting.map((slot) => `${nameOf(slot)}${slot.delayMs >= 1000 ? ` (keeps dying: tried again in ${slot.delayMs / 1000} s)` : ''}`).join(', ')
}
