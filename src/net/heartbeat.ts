import type { Socket } from 'node:net'
import type { HeartbeatConfig } from '../config/admission-schema.ts'
import { takenBytes } from './node-internals.ts'
import { PausedBy } from './paused-by.ts'

const DEFAULT_CHECK_SECONDS = 60
// A timer is a little early or late: what is silent for so much of a check less than it may be is silent.
const TOLERANCE = 0.1

/** What a listener does for the heartbeat of its port. */
export interface Beats {
  /** Whether this is one of the sockets that are watched: undefined if not, otherwise what keeps it from being read (`PausedBy`). */
  pausedBy(socket: Socket): number | undefined
  /** It has been silent for too long. */
  end(socket: Socket): void
  /** Asks for a sign of life, before `end`. */
  ping?(socket: Socket): void
}

interface Seen {
  /** Grows whenever a sign of life comes. */
  signs: number
  /** When it had last grown, in `performance.now()` milliseconds. */
  at: number
  isPinged: boolean
}

/**
 * Finds connections that have sent nothing for too long: all of a port are looked at now and then, so that a message costs nothing and a connection has
 * no timer. What is noticed of one is when its number of bytes had last changed from one look to the next.
 */
export class Heartbeat {
  readonly #sockets: ReadonlySet<Socket>
  readonly #idleMs: number
  readonly #checkMs: number
  readonly #seen = new WeakMap<Socket, Seen>()
  #beats: Beats | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(parts: { sockets: ReadonlySet<Socket>; config: HeartbeatConfig }) {
    const { idleSeconds, checkSeconds = Math.min(DEFAULT_CHECK_SECONDS, idleSeconds / 2) } = parts.config
    this.#sockets = parts.sockets
    this.#idleMs = idleSeconds * 1000
    this.#checkMs = checkSeconds * 1000
  }

  watch(beats: Beats): void {
    this.#beats = beats
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#look(performance.now()), this.#checkMs).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** A client has come. */
  enter(socket: Socket): void {
    this.#seen.set(socket, { signs: socket.bytesRead, at: performance.now(), isPinged: false })
  }

  /** How long it has been silent: goes along when it moves to another worker. */
  silentMs(socket: Socket): number {
    const seen = this.#seen.get(socket)
    return seen === undefined || seen.signs !== socket.bytesRead ? 0 : performance.now() - seen.at
  }

  takeOver(socket: Socket, silentMs: number): void {
    this.#seen.set(socket, { signs: socket.bytesRead, at: performance.now() - silentMs, isPinged: false })
  }

  #look(now: number): void {
    for (const socket of this.#sockets) {
      const pausedBy = this.#beats?.pausedBy(socket)
      if (pausedBy !== undefined) this.#lookAt(socket, pausedBy, now)
    }
  }

  #lookAt(socket: Socket, pausedBy: number, now: number): void {
    const seen = this.#seen.get(socket)
    // A client that is not read as it does not read: that it takes something is its sign of life.
    const signs = socket.bytesRead + (pausedBy === PausedBy.output ? takenBytes(socket) : 0)
    // One that is not read for a reason of ours cannot be heard.
    const isHeld = pausedBy !== 0 && pausedBy !== PausedBy.output
    if (seen === undefined || seen.signs !== signs || isHeld) {
      this.#seen.set(socket, { signs, at: now, isPinged: false })
      return
    }
    if (now - seen.at < this.#idleMs - TOLERANCE * this.#checkMs) return
    if (seen.isPinged || this.#beats?.ping === undefined) return this.#beats?.end(socket)
    seen.isPinged = true
    this.#beats.ping(socket)
  }
}
