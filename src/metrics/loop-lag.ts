// Four wake-ups a second cost an idle process under 0.1 % of a core; whatever blocks the loop for longer is always seen.
const INTERVAL_MS = 250

/**
 * How late the event loop runs a timer that is due. A timer of its own, as `perf_hooks.monitorEventLoopDelay` loses the
 * interval in which it is reset: a loop that blocks right after a report would not be seen.
 */
export class LoopLag {
  #timer: NodeJS.Timeout | undefined
  #due = 0
  #sumMs = 0
  #maxMs = 0
  #count = 0

  start(): void {
    if (this.#timer !== undefined) return
    this.#due = performance.now() + INTERVAL_MS
    this.#timer = setInterval(() => this.#onTimer(), INTERVAL_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Mean and maximum since the last call, in seconds. */
  take(): { mean: number; max: number } {
    const lag = { mean: this.#count === 0 ? 0 : this.#sumMs / this.#count / 1000, max: this.#maxMs / 1000 }
    this.#sumMs = 0
    this.#maxMs = 0
    this.#count = 0
    return lag
  }

  #onTimer(): void {
    const now = performance.now()
    const late = Math.max(0, now - this.#due)
    this.#due = now + INTERVAL_MS
    this.#sumMs += late
    this.#count++
    if (late > this.#maxMs) this.#maxMs = late
  }
}
