import type { Config } from '../config/schema.ts'
import { machineMs } from '../ipc/machine-clock.ts'
import { acceptOn, peerOf, type StreamHandle } from '../net/node-internals.ts'
import type { ListeningSocket } from './listening-sockets.ts'
import type { Slot } from './slot.ts'
import type { WorkerChild } from './worker-child.ts'

/** A connection that the master has accepted and no worker has yet taken. */
interface Dealt {
  readonly port: string
  readonly client: StreamHandle
  child: WorkerChild | undefined
}

/**
 * The master accepts and deals: `round-robin` in turn, `ip-hash` by client address. Each connection stays open here until a
 * worker says that it has it, so that one which is dealt to a dying worker goes to another instead of hanging.
 */
export class Dealer {
  readonly #slots: readonly Slot[]
  readonly #choose: (client: StreamHandle) => Slot | undefined
  readonly #dealt = new Map<number, Dealt>()
  #nextId = 1
  #turn = 0

  constructor(slots: readonly Slot[], dispatch: Config['dispatch']) {
    this.#slots = slots
    this.#choose = dispatch === 'ip-hash' ? (client) => this.#byAddress(client) : () => this.#inTurn()
  }

  /** @returns 0 or a negative errno */
  open(socket: ListeningSocket, onFailure: (errno: number) => void): number {
    if (socket.stream === undefined) return 0
    return acceptOn(socket.stream, (client) => this.#deal(this.#nextId++, { port: socket.config.name, client, child: undefined }), onFailure)
  }

  /** A worker has it: this process lets go of its copy. */
  taken(id: number): void {
    this.#dealt.get(id)?.client.close()
    this.#dealt.delete(id)
  }

  /** A worker has died: what it had not taken is dealt again. */
  lost(child: WorkerChild): void {
    for (const [id, dealt] of this.#dealt) if (dealt.child === child) this.#deal(id, dealt)
  }

  /** A worker is ready: what waited for one is dealt. */
  ready(): void {
    for (const [id, dealt] of this.#dealt) if (dealt.child === undefined) this.#deal(id, dealt)
  }

  close(): void {
    for (const { client } of this.#dealt.values()) client.close()
    this.#dealt.clear()
  }

  #deal(id: number, dealt: Dealt): void {
    this.#dealt.set(id, dealt)
    const child = this.#choose(dealt.client)?.current
    dealt.child = child?.isReady ? child : undefined
    dealt.child?.send({ type: 'connection', port: dealt.port, id, sentMs: machineMs() }, dealt.client)
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
