import type { Socket } from 'node:net'
import type { Listener } from './listener.ts'

// How often the connections that are due are closed.
const STEP_MS = 50
// How long a client may take to answer its closing, after that time.
const CUT_MS = 300

/**
 * Serves connections that cannot move to another worker, or that a stop ends, for a while, then closes them, spread over the end of that time so that
 * their clients do not all come back at once (as HAProxy's close-spread-time).
 */
export class Drain {
  readonly #listeners: readonly Listener[]
  readonly #end: number
  readonly #spreadMs: number
  readonly #isStop: boolean
  readonly #due = new Map<Socket, number>()
  #timer: NodeJS.Timeout | undefined

  /** @param parts `isStop`: the daemon ends, so nobody can come back at once */
  constructor(parts: { listeners: readonly Listener[]; maxWaitMs: number; spreadMs: number; isStop: boolean }) {
    this.#listeners = parts.listeners
    this.#isStop = parts.isStop
    this.#spreadMs = Math.min(parts.spreadMs, parts.maxWaitMs)
    this.#end = performance.now() + parts.maxWaitMs
    this.#timer = setTimeout(() => this.#begin(), parts.maxWaitMs - this.#spreadMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
    clearInterval(this.#timer)
  }

  #begin(): void {
    for (const listener of this.#listeners) listener.lastOnes?.()
    this.#step()
    this.#timer = setInterval(() => this.#step(), STEP_MS)
  }

  #step(): void {
    const now = performance.now()
    for (const listener of this.#listeners) {
      if (now >= this.#end + CUT_MS) listener.destroy()
      for (const socket of listener.port.sockets) {
        let due = this.#due.get(socket)
        if (due === undefined) this.#due.set(socket, (due = this.#end - Math.random() * Math.max(0, this.#end - now)))
        if (now >= due || now >= this.#end) listener.endOne?.(socket, { isRestart: !this.#isStop })
      }
    }
  }
}
