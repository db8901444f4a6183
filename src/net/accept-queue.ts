import type { StreamHandle } from './node-internals.ts'

// What is taken out of the kernel's queue at a time to see how long it is: more than that is too many in any case.
const MAX_HELD = 1024

export interface AcceptQueueParts {
  /** How long a client may wait, in milliseconds. */
  readonly limitMs: number
  readonly admit: (client: StreamHandle) => void
  /** Turns away a client that would have to wait for longer. */
  readonly refuse: (client: StreamHandle) => void
  /** Some are turned away. @param waitMs how long the last of them would have waited */
  readonly onOverload: (waitMs: number) => void
}

/**
 * Keeps the kernel's queue of a listening socket short. libuv accepts one connection in a turn of the event loop, so under load that queue
 * is where clients wait, for seconds, while the loop itself never lags. How long they wait is not to be seen from here; whether there
 * is a queue is: then each turn accepts somebody. Once that has lasted for the limit the queue is emptied, which takes no more than a turn for each, and
 * counted. Those who can be served within half of the limit, at the pace of late, get in; the others do not wait in vain.
 */
export class AcceptQueue {
  readonly #parts: AcceptQueueParts
  /** Since when it has never been empty, as far as is known. */
  #since = 0
  #numAdmitted = 0
  #hasAccepted = false
  #isLooking = false
  /** While it is emptied. */
  #held: StreamHandle[] | undefined
  #paceMs = 0
  readonly #look = (): void => this.#onTurn()

  constructor(parts: AcceptQueueParts) {
    this.#parts = parts
  }

  accepted(client: StreamHandle): void {
    this.#hasAccepted = true
    if (!this.#isLooking) this.#begin()
    if (this.#held !== undefined) return void this.#held.push(client)
    this.#numAdmitted++
    this.#parts.admit(client)
  }

  /** The port stops: whoever waits here is not let in any more. */
  stop(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const client of held) this.#parts.refuse(client)
  }

  #begin(): void {
    this.#since = performance.now()
    this.#numAdmitted = 0
    if (!this.#isLooking) setImmediate(this.#look)
    this.#isLooking = true
  }

  /** Behind the poll phase of each turn while there may be a queue. */
  #onTurn(): void {
    const isEmpty = !this.#hasAccepted
    this.#hasAccepted = false
    if (this.#held !== undefined) {
      if (isEmpty || this.#held.length >= MAX_HELD) this.#decide(this.#held)
    } else if (isEmpty) {
      this.#isLooking = false
      return
    } else {
      const lasted = performance.now() - this.#since
      if (lasted > this.#parts.limitMs) {
        this.#held = []
        this.#paceMs = lasted / this.#numAdmitted
      }
    }
    setImmediate(this.#look)
  }

  #decide(held: readonly StreamHandle[]): void {
    const { limitMs, admit, refuse, onOverload } = this.#parts
    const room = Math.max(1, Math.floor(limitMs / 2 / this.#paceMs))
    this.#held = undefined
    this.#begin()
    this.#numAdmitted = Math.min(room, held.length)
    for (const [index, client] of held.entries())
      if (index < room) admit(client)
      else refuse(client)
    if (held.length > room) onOverload(held.length * this.#paceMs)
  }
}
