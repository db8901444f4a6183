import type { Clock } from '../../src/timers/clock.ts'

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #monotonic = 1000
  #wall: number
  #alarms: { at: number; wake: () => void }[] = []

  constructor(wall: string | number = 0) {
    this.#wall = new Date(wall).getTime()
  }

  monotonic(): number {
    return this.#monotonic
  }

  wall(): number {
    return this.#wall
  }

  get iso(): string {
    return new Date(this.#wall).toISOString()
  }

  wakeAfter(ms: number, wake: () => void): { cancel(): void } {
    // As setTimeout: whole milliseconds, and at least one.
    const alarm = { at: this.#monotonic + Math.max(1, Math.trunc(ms)), wake }
    this.#alarms.push(alarm)
    return { cancel: () => (this.#alarms = this.#alarms.filter((other) => other !== alarm)) }
  }

  get numAlarms(): number {
    return this.#alarms.length
  }

  /** Time passes, and whoever is to be woken is woken at his time. Promises settle in between. */
  async pass(ms: number): Promise<void> {
    const end = this.#monotonic + ms
    await settled()
    for (;;) {
      const next = this.#alarms.reduce<{ at: number; wake: () => void } | undefined>(
        (first, one) => (first === undefined || one.at < first.at ? one : first),
        undefined,
      )
      if (next === undefined || next.at > end) break
      this.#move(Math.max(0, next.at - this.#monotonic))
      this.#alarms = this.#alarms.filter((alarm) => alarm !== next)
      next.wake()
      await settled()
    }
    this.#move(end - this.#monotonic)
  }

  /** Time passes and nobody is woken: the process was held up. */
  stall(ms: number): void {
    this.#move(ms)
  }

  /** Somebody sets the machine's clock. */
  set(wall: string): void {
    this.#wall = new Date(wall).getTime()
  }

  #move(ms: number): void {
    this.#monotonic += ms
    this.#wall += ms
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
