import type { Slot } from './slot.ts'

// A worker may hold this many more connections of a port than the one with the fewest before it lets the others accept.
const LEAD = 16
const LEAD_SHARE = 0.1
// A worker that holds back is let in again after this time whatever the others do: the one with the fewest may be stuck.
const HOLD_MS = 100

/**
 * Workers that accept from one shared socket do not share evenly: whoever wakes first takes all there is. As nginx's accept
 * mutex does, one that is far ahead stops accepting until the others have caught up.
 */
export class Balance {
  readonly #slots: readonly Slot[]
  readonly #reopen: (slot: Slot, port: string) => void
  /** port → slot → connections. */
  readonly #connections = new Map<string, Map<Slot, number>>()
  readonly #holding = new Map<string, NodeJS.Timeout>()

  constructor(slots: readonly Slot[], reopen: (slot: Slot, port: string) => void) {
    this.#slots = slots
    this.#reopen = reopen
  }

  accepted(slot: Slot, port: string, connections: number): void {
    let counts = this.#connections.get(port)
    if (counts === undefined) this.#connections.set(port, (counts = new Map()))
    counts.set(slot, connections)
    let fewest = connections
    for (const other of this.#slots) if (other.isReady) fewest = Math.min(fewest, counts.get(other) ?? 0)
    const isAhead = connections > fewest + Math.max(LEAD, connections * LEAD_SHARE)
    const key = `${slot.index} ${port}`
    if (!isAhead || this.#holding.has(key)) return
    slot.current?.send({ type: 'hold', port })
    this.#holding.set(
      key,
      setTimeout(() => {
        this.#holding.delete(key)
        if (slot.isReady) this.#reopen(slot, port)
      }, HOLD_MS),
    )
  }

  /** The slot has another worker: what the one before had counted is past. */
  lost(slot: Slot): void {
    for (const counts of this.#connections.values()) counts.delete(slot)
  }

  close(): void {
    for (const timer of this.#holding.values()) clearTimeout(timer)
    this.#holding.clear()
  }
}
