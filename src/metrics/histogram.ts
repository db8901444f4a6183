/** Upper bounds in seconds: from a callback that only sends to one that waits for a slow backend. The same in every process, so that they add up. */
export const SECONDS_BUCKETS: readonly number[] = [0.000_01, 0.000_1, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]

/** The state of a histogram as plain data. `buckets[i]` counts what fell at or under bound i and over the one before; the last one is +Inf. */
export interface HistogramReport {
  readonly buckets: readonly number[]
  readonly sum: number
}

/** A histogram of durations that costs a few comparisons to feed and allocates nothing. */
export class Histogram {
  readonly #buckets: number[] = new Array(SECONDS_BUCKETS.length + 1).fill(0)
  #sum = 0

  /** Counts one duration, in milliseconds as `performance.now()` gives them. */
  observeMs(ms: number): void {
    const seconds = ms / 1000
    let i = 0
    while (i < SECONDS_BUCKETS.length && seconds > (SECONDS_BUCKETS[i] as number)) i++
    this.#buckets[i] = (this.#buckets[i] as number) + 1
    this.#sum += seconds
  }

  report(): HistogramReport {
    return { buckets: [...this.#buckets], sum: this.#sum }
  }
}
