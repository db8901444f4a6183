// Somebody may set the clock, or the machine sleep, which setTimeout does not see.
const LONGEST_SLEEP_MS = 60_000

/** Rings at the time it is set to, and perhaps before: who sets it looks whether it is time. */
export class Alarm {
  readonly #ring: () => void
  #timer: NodeJS.Timeout | undefined
  #at: number | undefined

  constructor(ring: () => void) {
    this.#ring = ring
  }

  /** @param at milliseconds since 1970; undefined for never */
  set(at: number | undefined): void {
    if (at === this.#at) return
    clearTimeout(this.#timer)
    this.#at = at
    if (at === undefined) return
    this.#timer = setTimeout(
      () => {
        this.#at = undefined
        this.#ring()
      },
      Math.min(Math.max(0, at - Date.now()), LONGEST_SLEEP_MS),
    )
  }
}
