import type { Slot } from './slot.ts'

/** Why the daemon is not ready, though it runs: a place without a process that is. Undefined when it is ready. */
export function whyNotReady(slots: readonly Slot[], nameOf: (slot: Slot) => string): string | undefined {
  const waiting = slots.filter((slot) => !slot.isReady)
  if (waiting.length === 0) return undefined
  return waiting.map((slot) => `${nameOf(slot)}${slot.delayMs >= 1000 ? ` (keeps dying: tried again in ${slot.delayMs / 1000} s)` : ''}`).join(', ')
}
