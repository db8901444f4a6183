import type { Server } from 'node:http'
import type { HttpSocket } from './http-socket.ts'
import { idleSockets, lateSockets } from './node-http-internals.ts'
import type { Port } from './port.ts'

// How often it is looked: a limit is kept within this time.
const LOOK_MS = 500
// A connection is kept for so much longer than announced: what the client sends in the last moment still is on its way.
const BUFFER_MS = 250
const NEVER_MS = 2 ** 31 - 1

/** What `createServer` is to do about time: nothing. Node would look whether anybody is connected or not, and set a timer behind each response. */
export const WITHOUT_TIMERS = { connectionsCheckingInterval: NEVER_MS, keepAliveTimeout: 0 }

/**
 * How long HTTP connections may take: for a head, for a request, and until the next request. One timer for all of a port's, as long as there are any,
 * and a request costs a number on its socket.
 */
export class HttpTimeouts {
  readonly #port: Port
  readonly #server: Server
  readonly #onLate: (socket: HttpSocket) => void
  readonly #keepAliveMs: number
  #timer: NodeJS.Timeout | undefined

  /** @param parts.onLate a head or a body takes too long, or the first byte of a new connection does */
  constructor(parts: { port: Port; server: Server; onLate: (socket: HttpSocket) => void }) {
    this.#port = parts.port
    this.#server = parts.server
    this.#onLate = parts.onLate
    this.#keepAliveMs = parts.port.limits.keepAliveSeconds * 1000
    // Node keeps a list of what has come when. It begins to when a server listens, which this one never does by itself.
    parts.server.emit('listening')
  }

  /** There is a connection to look at. */
  start(): void {
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(): void {
    if (this.#port.sockets.size === 0) return this.stop()
    const { headerSeconds, requestSeconds } = this.#port.limits
    for (const socket of lateSockets(this.#server, headerSeconds * 1000, requestSeconds * 1000)) this.#onLate(socket)
    const now = performance.now()
    const due: HttpSocket[] = []
    for (const socket of this.#port.sockets as ReadonlySet<HttpSocket>) {
      const { polyportAnsweredAt: since } = socket
      if (!since || now - since < this.#keepAliveMs + BUFFER_MS) continue
      // Where the next request has begun or is answered, what follows that has all of the time.
      socket.polyportAnsweredAt = now
      due.push(socket)
    }
    if (due.length > 0) for (const socket of idleSockets(this.#server, due)) endUnused(socket)
  }
}

/** There was no further request. */
function endUnused(socket: HttpSocket): void {
  socket.polyportRefused ??= 'heartbeat'
  socket.destroy()
}
