import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'
import { machineMs } from '../ipc/machine-clock.ts'
import { acceptOn, peerOf, type StreamHandle } from '../net/node-internals.ts'
import { reservedFrom } from '../worker/descriptor-limit.ts'
import type { ListeningSocket } from './listening-sockets.ts'
import type { Slot } from './slot.ts'
import type { WorkerChild } from './worker-child.ts'

// So many are on their way to a worker at a time: enough that a busy one never waits for the next, and far below what Node may mix up (net/handle-line.ts).
const NUM_UNDER_WAY = 64
// A worker that has no descriptor for a connection must close some first: trying at once cannot help.
const AGAIN_MS = 100
// Then nobody has room for it.
const MAX_MISSES = 10
// A flood is one line a second in the log.
const WARN_MS = 1000

/** A connection that the master has accepted and no worker has yet taken. */
interface Dealt {
  readonly port: string
  readonly client: StreamHandle
  /** Whom it is for. */
  child: WorkerChild | undefined
  /** Since when it is, by the machine's clock. */
  since: number
  /** How often it has not got there. */
  misses: number
}

/** What is on its way to a worker, and what waits until less is. */
interface Line {
  readonly underWay: Set<number>
  readonly waiting: number[]
}

/**
 * The master accepts and deals: `round-robin` in turn, `ip-hash` by client address. Each connection stays open here until a
 * worker says that it has it, so that one which is dealt to a dying worker goes to another instead of hanging.
 */
export class Dealer {
  readonly #slots: readonly Slot[]
  readonly #log: Logger
  readonly #onRefused: (port: string) => void
  readonly #choose: (client: StreamHandle) => Slot | undefined
  readonly #dealt = new Map<number, Dealt>()
  readonly #lines = new Map<WorkerChild, Line>()
  readonly #reservedFrom = reservedFrom()
  #warnedAt = Number.NEGATIVE_INFINITY
  #nextId = 1
  #turn = 0

  /** @param parts.onRefused a connection is closed here, as there is no room for it */
  constructor({ slots, mode, log, onRefused }: { slots: readonly Slot[]; mode: Config['dispatch']; log: Logger; onRefused: (port: string) => void }) {
    this.#slots = slots
    this.#log = log
    this.#onRefused = onRefused
    this.#choose = mode === 'ip-hash' ? (client) => this.#byAddress(client) : () => this.#inTurn()
  }

  /** @returns 0 or a negative errno */
  open(socket: ListeningSocket, onFailure: (errno: number) => void): number {
    if (socket.stream === undefined) return 0
    const port = socket.config.name
    return acceptOn(socket.stream, (client) => this.#accepted(port, client), onFailure)
  }

  /** The last descriptors are for a worker in the place of one that does not take what it is dealt: without it nobody ever would. */
  #accepted(port: string, client: StreamHandle): void {
    if (client.fd < this.#reservedFrom) return this.#deal(this.#nextId++, { port, client, child: undefined, since: 0, misses: 0 })
    client.close()
    this.#onRefused(port)
    const now = performance.now()
    if (now - this.#warnedAt < WARN_MS) return
    this.#warnedAt = now
    this.#log.warn({ port, connections: this.#dealt.size }, 'Out of descriptors: connections are closed, as no worker takes those that are here')
  }

  /** A worker has it: this process lets go of its copy. */
  taken(id: number): void {
    const dealt = this.#dealt.get(id)
    if (dealt === undefined) return
    dealt.client.close()
    this.#dealt.delete(id)
    if (dealt.child !== undefined) this.#arrived(id, dealt.child)
  }

  /** It has not got to that worker. */
  missed(id: number, child: WorkerChild): void {
    const dealt = this.#dealt.get(id)
    // Otherwise it has been dealt again since.
    if (dealt?.child !== child || !this.#arrived(id, child)) return
    if (++dealt.misses < MAX_MISSES) {
      setTimeout(() => this.#dealt.get(id)?.child === child && this.#deal(id, dealt), AGAIN_MS)
      return
    }
    this.#log.warn({ port: dealt.port, worker: child.slot }, 'A connection is closed: it cannot be given to a worker')
    this.#onRefused(dealt.port)
    dealt.client.close()
    this.#dealt.delete(id)
  }

  /** A worker has died: what it had not taken is dealt again. */
  lost(child: WorkerChild): void {
    this.#lines.delete(child)
    for (const [id, dealt] of this.#dealt) if (dealt.child === child) this.#deal(id, dealt)
  }

  /** A worker is ready: what waited for one is dealt. */
  ready(): void {
    for (const [id, dealt] of this.#dealt) if (dealt.child === undefined) this.#deal(id, dealt)
  }

  close(): void {
    for (const { client } of this.#dealt.values()) client.close()
    this.#dealt.clear()
    this.#lines.clear()
  }

  #deal(id: number, dealt: Dealt): void {
    this.#dealt.set(id, dealt)
    const child = this.#choose(dealt.client)?.current
    dealt.child = child?.isReady ? child : undefined
    if (dealt.child === undefined) return
    dealt.since = machineMs()
    let line = this.#lines.get(dealt.child)
    if (line === undefined) this.#lines.set(dealt.child, (line = { underWay: new Set(), waiting: [] }))
    if (line.underWay.size >= NUM_UNDER_WAY) line.waiting.push(id)
    else this.#send(id, dealt, line)
  }

  #send(id: number, { port, client, child, since }: Dealt, { underWay }: Line): void {
    if (child === undefined) return
    underWay.add(id)
    child.deal({ port, id, sentMs: since }, client, () => this.missed(id, child))
  }

  /** It is no longer on its way: the next one goes. @returns whether it was */
  #arrived(id: number, child: WorkerChild): boolean {
    const line = this.#lines.get(child)
    if (line?.underWay.delete(id) !== true) return false
    for (let next = line.waiting.shift(); next !== undefined; next = line.waiting.shift()) {
      const dealt = this.#dealt.get(next)
      if (dealt?.child !== child) continue
      if (child.isReady) {
        this.#send(next, dealt, line)
        break
      }
      // It gives its place to another one, which gets what waits.
      this.#deal(next, dealt)
    }
    return true
  }

  #inTurn(): Slot | undefined {
    for (let tries = 0; tries < this.#slots.length; tries++) {
      this.#turn = (this.#turn + 1) % this.#slots.length
      const slot = this.#slots[this.#turn]
      if (slot?.isReady) return slot
    }
    return undefined
  }

  #byAddress(client: StreamHandle): Slot | undefined {
    return this.#slots[hash(peerOf(client).address) % this.#slots.length]
  }
}

/** FNV-1a, 32 bits: spreads neighbouring addresses. */
export function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0
  return value
}
