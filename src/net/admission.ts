import type { CloseReason } from '../contracts/close-reason.ts'
import { plainAddress } from './address.ts'
import type { Listener } from './listener.ts'
import { peerOf, type StreamHandle } from './node-internals.ts'
import type { Port } from './port.ts'

/** The one step between accept(2) and the listener of a port: who gets in, and by which address it is known. */
export class Admission {
  readonly #port: Port
  readonly #listener: Listener | undefined

  constructor(parts: { port: Port; listener: Listener | undefined }) {
    this.#port = parts.port
    this.#listener = parts.listener
  }

  /** A client's raw handle: one that was accepted here, or by the master. */
  admit(client: StreamHandle): void {
    const { address, port } = peerOf(client)
    const { maxConnections } = this.#port.limits
    if (maxConnections !== undefined && this.#port.sockets.size >= maxConnections) return this.#refuse(client, 'max_connections', 503)
    this.#listener?.adopt?.(client, { address: plainAddress(address), port })
  }

  #refuse(client: StreamHandle, reason: CloseReason, status: number): void {
    this.#port.refused(reason)
    if (this.#listener?.refuse === undefined) client.close()
    else this.#listener.refuse(client, status)
  }
}
