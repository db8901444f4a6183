/** Where a timer gets the time from, and what wakes it: tests hand in one that they move by hand. Milliseconds everywhere. */
export interface Clock {
  /** Goes on evenly, whatever is done to the machine's clock. */
  monotonic(): number
  /** Since 1970. */
  wall(): number
  wakeAfter(ms: number, wake: () => void): { cancel(): void }
}

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  wakeAfter(ms, wake) {
    const timeout = setTimeout(wake, ms)
    return { cancel: () => clearTimeout(timeout) }
  },
}
