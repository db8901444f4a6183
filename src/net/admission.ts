import type { PortConfig } from '../config/schema.ts'
import type { CloseReason } from '../contracts/close-reason.ts'
import { AcceptQueue } from './accept-queue.ts'
import { type PeerAddress, plainAddress } from './address.ts'
import { AddressList, accessRule } from './address-list.ts'
import type { Listener } from './listener.ts'
import { peerOf, type StreamHandle } from './node-internals.ts'
import type { Port } from './port.ts'
import { ProxyReader } from './proxy-reader.ts'
import { OVERLOADED, STATUS } from './refusal.ts'

export interface AdmissionParts {
  readonly port: Port
  readonly listener: Listener | undefined
  readonly config: Pick<PortConfig, 'allow' | 'deny' | 'proxyProtocol'>
}

/**
 * The one step between accept(2) and the listener of a port: who gets in, and by which address it is known. Costs a connection
 * of a port without such rules its address alone.
 */
export class Admission {
  readonly #port: Port
  readonly #listener: Listener | undefined
  readonly #proxies: AddressList | undefined
  readonly #mayEnter: ((address: string) => boolean) | undefined
  readonly #queue: AcceptQueue | undefined
  readonly #headers = new ProxyReader({
    onHeader: (client, peer, head) => this.#waited(() => this.#enter(client, peer, head)),
    onFailure: (client, proxy) => this.#waited(() => this.#refuse(client, proxy, 'proxy_header')),
    onNothing: (client) => this.#waited(() => client.close()),
  })

  constructor(parts: AdmissionParts) {
    const { proxyProtocol } = parts.config
    this.#port = parts.port
    this.#listener = parts.listener
    this.#mayEnter = accessRule(parts.config)
    this.#proxies = proxyProtocol && new AddressList(proxyProtocol)
    const { maxLagMs } = parts.port.limits
    this.#queue =
      maxLagMs === undefined
        ? undefined
        : new AcceptQueue({
            limitMs: maxLagMs,
            admit: (client) => this.admit(client),
            refuse: (client) => this.#turnAway(client),
            onOverload: (waitMs) => parts.port.lateFor(waitMs),
          })
  }

  /** A client's raw handle that was accepted here. */
  accepted(client: StreamHandle): void {
    if (this.#queue === undefined) this.admit(client)
    else this.#queue.accepted(client)
  }

  /** One that the master has accepted, and sent here so long ago. */
  dealt(client: StreamHandle, waitedMs: number): void {
    if (waitedMs <= (this.#port.limits.maxLagMs ?? Number.POSITIVE_INFINITY)) return this.admit(client)
    this.#port.lateFor(waitedMs)
    this.#turnAway(client)
  }

  /** One whose turn it is. */
  admit(client: StreamHandle): void {
    const peer = peerAt(client)
    if (this.#port.isOverloaded) return this.#refuse(client, peer, 'rate', OVERLOADED)
    if (this.#proxies?.has(peer.address) !== true) return this.#enter(client, peer)
    // The port is not idle before it is known what becomes of it.
    this.#port.begin()
    this.#headers.read(client, peer)
  }

  stop(): void {
    this.#queue?.stop()
    this.#headers.stop()
  }

  #enter(client: StreamHandle, peer: PeerAddress, head?: Buffer): void {
    if (this.#mayEnter?.(peer.address) === false) return this.#refuse(client, peer, 'denied')
    const over = this.#port.occupancy.admit(peer.address)
    if (over !== undefined) return this.#refuse(client, peer, over)
    this.#listener?.adopt?.(client, peer, head)
  }

  #refuse(client: StreamHandle, peer: PeerAddress, reason: CloseReason & keyof typeof STATUS, status: number = STATUS[reason]): void {
    this.#port.refused(reason, { remoteAddress: peer.address })
    // A proxy would take the answer for its client's.
    if (this.#listener?.refuse === undefined || reason === 'proxy_header') client.close()
    else this.#listener.refuse(client, status)
  }

  #turnAway(client: StreamHandle): void {
    this.#refuse(client, peerAt(client), 'rate', OVERLOADED)
  }

  #waited(then: () => void): void {
    then()
    this.#port.finish()
  }
}

function peerAt(client: StreamHandle): PeerAddress {
  const { address, port } = peerOf(client)
  return { address: plainAddress(address), port }
}
