/** Who waits, and may be told to wait no longer. */
interface Waiter {
  isWoken: boolean
  look: () => void
}

/** Another process, as far as it keeps up with what is sent to it. */
export interface Receiver {
  /** So much waits for it that who sends is to wait, too. */
  readonly isBehind: boolean
  /** `late` when it was last sent something while it was behind. */
  readonly lateAt: number
}

/**
 * Holds back who sends to processes that do not keep up. A handler is given one message after the other, so whatever is sent between the beginning and
 * the end of its call is due to that message: it compares `late` before and after, one integer, and waits only where that has grown.
 */
export class BusPressure {
  /** Grows with each message for a process that is behind. */
  late = 0
  /** How often somebody had to wait. */
  waits = 0
  readonly #receivers: () => Iterable<Receiver>
  readonly #waiters = new Map<object, Waiter>()

  constructor(receivers: () => Iterable<Receiver>) {
    this.#receivers = receivers
  }

  /**
   * Resolves when all that were sent something while they were behind, since `late` was that number, have caught up or are gone; or with `wake`.
   * To be called in the same turn. At most once at a time for each `who`.
   */
  async caughtUp(since: number, who: object): Promise<void> {
    const receivers = Array.from(this.#receivers()).filter(({ lateAt }) => lateAt > since)
    const waiter: Waiter = { isWoken: false, look: () => {} }
    this.waits++
    this.#waiters.set(who, waiter)
    // Again for each of many that wait: those before may have sent too much once more.
    while (!waiter.isWoken && receivers.some(({ isBehind }) => isBehind)) await new Promise<void>((resolve) => (waiter.look = resolve))
    if (this.#waiters.get(who) === waiter) this.#waiters.delete(who)
  }

  /** It waits no longer. */
  wake(who: object): void {
    const waiter = this.#waiters.get(who)
    if (waiter === undefined) return
    waiter.isWoken = true
    waiter.look()
  }

  /** Some process is no longer behind. */
  eased(): void {
    for (const { look } of this.#waiters.values()) look()
  }
}
