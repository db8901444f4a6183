// Often enough to see an overload begin before many connections have been accepted.
const INTERVAL_MS = 50
// A lag counts for half after this time, so that half a second of calm ends an overload of four times the limit.
const HALF_LIFE_MS = 250
// No lag counts for more than so many times the limit: what is over is over within two seconds.
const MAX_TIMES = 32
// For so long nobody must have been turned away before the worker calls itself ready again.
const CALM_MS = 1000

/**
 * How far the event loop of this worker lags behind, in milliseconds: the latest lag, or what is left of an earlier one. There when a
 * port has `limits.maxLagMs`.
 */
export class Lag {
  readonly #limitMs: number
  readonly #onChange: (isOverloaded: boolean, ms: number) => void
  #timer: NodeJS.Timeout | undefined
  #level = 0
  #tickedAt = 0
  #isOverloaded = false
  #turnedAwayAt = Number.NEGATIVE_INFINITY

  /** @param parts.limitMs the smallest limit of any port: `onChange` tells when it is passed, and when no longer */
  constructor(parts: { limitMs: number; onChange: (isOverloaded: boolean, ms: number) => void }) {
    this.#limitMs = parts.limitMs
    this.#onChange = parts.onChange
  }

  start(): void {
    this.#tickedAt = performance.now()
    this.#timer ??= setInterval(() => this.#tick(), INTERVAL_MS).unref()
  }

  /** Somebody would have waited for so long to be let in, and was turned away. */
  turnedAway(waitMs: number): void {
    this.#turnedAwayAt = performance.now()
    this.#say(true, waitMs)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  get isOverloaded(): boolean {
    return this.#isOverloaded
  }

  /** The lag, that of the timer which should have run by now included. */
  get ms(): number {
    if (this.#timer === undefined) return 0
    return Math.max(this.#level, performance.now() - this.#tickedAt - INTERVAL_MS)
  }

  #tick(): void {
    const now = performance.now()
    const elapsed = now - this.#tickedAt
    this.#tickedAt = now
    this.#level = Math.min(Math.max(elapsed - INTERVAL_MS, this.#level * 0.5 ** (elapsed / HALF_LIFE_MS)), MAX_TIMES * this.#limitMs)
    this.#say(this.#level > this.#limitMs || now - this.#turnedAwayAt < CALM_MS, this.#level)
  }

  #say(isOverloaded: boolean, ms: number): void {
    if (isOverloaded === this.#isOverloaded) return
    this.#isOverloaded = isOverloaded
    this.#onChange(isOverloaded, ms)
  }
}
