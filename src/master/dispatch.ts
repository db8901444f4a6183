import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'
import type { MetricsBook } from '../metrics/metrics-book.ts'
import { Balance } from './balance.ts'
import { Dealer } from './dealer.ts'
import type { ListeningSocket } from './listening-sockets.ts'
import { giveSocket } from './open-ports.ts'
import type { Slot } from './slot.ts'
import type { WorkerChild } from './worker-child.ts'

export interface DispatchParts {
  readonly mode: Config['dispatch']
  readonly slots: readonly Slot[]
  readonly sockets: () => readonly ListeningSocket[]
  readonly log: Logger
  readonly book: MetricsBook
}

/** Which worker gets a new connection: they accept by themselves and are kept even (`kernel`), or the master deals. */
export class Dispatch {
  readonly #parts: DispatchParts
  readonly #dealer: Dealer | undefined
  readonly #balance: Balance | undefined
  #isClosed = false

  constructor(parts: DispatchParts) {
    const { mode, slots, log, book } = parts
    this.#parts = parts
    if (mode === 'kernel') this.#balance = new Balance(slots, (slot, port) => this.reopen(slot, port))
    else this.#dealer = new Dealer({ slots, mode, log, onRefused: (port) => book.refuse(port, 'error') })
  }

  /** Whether the master accepts. */
  get isDealt(): boolean {
    return this.#dealer !== undefined
  }

  /** Accepts on these, where the master does. */
  open(sockets: readonly ListeningSocket[]): void {
    const { log } = this.#parts
    for (const socket of sockets) this.#dealer?.open(socket, (errno) => log.warn({ errno, port: socket.config.name }, 'Cannot accept a connection'))
    this.ready()
  }

  /** A worker is ready. */
  ready(): void {
    this.#dealer?.ready()
  }

  /** A worker has the connection that it was dealt. */
  taken(id: number): void {
    this.#dealer?.taken(id)
  }

  /** The connection that it was dealt has not got to a worker. */
  missed(id: number, child: WorkerChild): void {
    this.#dealer?.missed(id, child)
  }

  /** A worker has so many connections of a port. */
  accepted(slot: Slot, port: string, connections: number): void {
    this.#balance?.accepted(slot, port, connections)
  }

  /** A slot has another worker, or none for now. */
  changed(slot: Slot): void {
    this.#balance?.lost(slot)
  }

  /** A worker has died. */
  lost(child: WorkerChild): void {
    this.#dealer?.lost(child)
  }

  /** Gives a ready worker back a listening socket that it had let go of. */
  reopen(slot: Slot, port: string): void {
    const child = slot.current
    if (this.#isClosed || child?.isReady !== true) return
    for (const socket of this.#parts.sockets()) if (socket.config.name === port) giveSocket(child, socket, this.isDealt)
  }

  close(): void {
    this.#isClosed = true
    this.#dealer?.close()
    this.#balance?.close()
  }
}
