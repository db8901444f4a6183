import type { DaemonStatus } from '../admin/status.ts'
import { placeText } from '../ipc/place.ts'
import type { Slot } from './slot.ts'

/** Why the daemon is not ready: also when it runs, a place may be without a process that is. Undefined when it is ready. */
export function whyNotReady(state: DaemonStatus['state'], workers: readonly Slot[] = [], staff: readonly Slot[] = []): string | undefined {
  if (state !== 'ready') return `the daemon is ${state}`
  const silent = waiting(workers, ({ index }) => `${index}`)
  if (silent !== undefined) return `worker ${silent} does not listen yet`
  const overloaded = workers.filter(({ current }) => current?.report?.isOverloaded === true)
  if (overloaded.length > 0) return `worker ${overloaded.map(({ index }) => index).join(', ')} is overloaded`
  // A custom process may end as it likes, and is waited for then.
  const missing = waiting(
    staff.filter(({ place }) => place.role !== 'process'),
    ({ place }) => placeText(place),
  )
  return missing === undefined ? undefined : `${missing} does not run yet`
}

function waiting(slots: readonly Slot[], nameOf: (slot: Slot) => string): string | undefined {
  const found = slots.filter((slot) => !slot.isReady)
  if (found.length === 0) return undefined
  return found.map((slot) => `${nameOf(slot)}${slot.delayMs >= 1000 ? ` (keeps dying: tried again in ${slot.delayMs / 1000} s)` : ''}`).join(', ')
}
