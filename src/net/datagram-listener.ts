import { Socket } from 'node:dgram'
import type { Message } from '../contracts/connection.ts'
import type { UdpHandler } from '../contracts/handlers.ts'
import type { Peer } from '../contracts/peer.ts'
import { messageLength } from '../framing/message-length.ts'
import { plainAddress } from './address.ts'
import { isPromise } from './is-promise.ts'
import type { Listener } from './listener.ts'
import { stopReceiving } from './node-internals.ts'
import type { Port } from './port.ts'

// What may wait for the kernel, which has room for some hundred KiB: the rest waits in this process.
const MAX_SENDING_BYTES = 64 * 1024 * 1024
// What may wait for promises of the handler, each datagram with what its promise takes.
const MAX_PENDING_BYTES = 64 * 1024 * 1024
const PROMISE_BYTES = 1024

/** A UDP socket, or a unix datagram socket. */
export type DatagramSocket = {
  close(): void
  send(data: Message, port: number, address: string): void
  /** Missing where nothing waits. */
  getSendQueueSize?(): number
  on(event: 'message', listener: (packet: Buffer, from: { address: string; port: number }) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  removeAllListeners(event: 'message'): unknown
}

/** A udp port: each datagram goes to the handler. */
export class DatagramListener implements Listener {
  readonly port: Port
  readonly #socket: DatagramSocket
  readonly #mayEnter: ((address: string) => boolean) | undefined
  #isClosed = false
  #pendingBytes = 0
  /** Since what waits was too much, until half of it is done. */
  #isBehind = false

  /** @param mayEnter whose datagrams are taken; everybody's without it */
  constructor(port: Port, socket: DatagramSocket, mayEnter?: (address: string) => boolean) {
    this.port = port
    this.#mayEnter = mayEnter
    this.#socket = socket
    socket.on('message', (packet, from) => this.#receive(packet, from))
    // Sending failed: the kernel had no room, or the peer's host says there is nobody.
    socket.on('error', () => this.#dropped())
  }

  send(data: Message, port: number, address: string): void {
    const { counters } = this.port
    const bytes = messageLength(data)
    try {
      if ((this.#socket.getSendQueueSize?.() ?? 0) >= MAX_SENDING_BYTES) return this.#dropped()
      counters.bytesOut += bytes
      counters.messagesOut++
      this.#socket.send(data, port, address)
    } catch {
      // A closed socket, a bad address or too long a datagram: nobody is there to tell, so it is counted.
      this.#dropped()
    }
  }

  #dropped(): void {
    this.port.counters.dropped++
  }

  #receive(packet: Buffer, from: { address: string; port: number }): void {
    const { counters, handler } = this.port
    if (this.#mayEnter?.(plainAddress(from.address)) === false) return counters.refuse('denied')
    if (this.#pendingBytes >= MAX_PENDING_BYTES) return this.#overflow()
    counters.messagesIn++
    counters.bytesIn += packet.length
    const start = performance.now()
    try {
      const result: unknown = (handler as UdpHandler).onPacket(packet, new DatagramPeer(this, from))
      if (isPromise(result)) {
        void this.#settle(result, start, packet.length + PROMISE_BYTES)
        return
      }
    } catch (error) {
      this.port.failed(error, 'onPacket')
    }
    counters.handler.observeMs(performance.now() - start)
  }

  /** A sender of datagrams cannot be held back: what comes is dropped until the handler has caught up. */
  #overflow(): void {
    this.#dropped()
    if (!this.#isBehind) this.port.log.warn({ bytes: this.#pendingBytes }, 'Datagrams are dropped: too many wait for promises of onPacket')
    this.#isBehind = true
  }

  async #settle(result: PromiseLike<unknown>, start: number, bytes: number): Promise<void> {
    this.#pendingBytes += bytes
    await this.port.settle(result, 'onPacket')
    this.#pendingBytes -= bytes
    if (this.#pendingBytes <= MAX_PENDING_BYTES / 2) this.#isBehind = false
    this.port.counters.handler.observeMs(performance.now() - start)
  }

  stop(): void {
    this.#socket.removeAllListeners('message')
  }

  /** Another process receives on the same socket from now on. Answers that take time still leave by it. */
  leave(): void {
    // A unix datagram socket is not shared: what is in its queue is read until this worker ends.
    if (this.#socket instanceof Socket) stopReceiving(this.#socket)
  }

  destroy(): void {
    // A socket that is closed again throws, and a drain that is over ends what is left more than once.
    if (!this.#isClosed) this.#socket.close()
    this.#isClosed = true
  }
}

class DatagramPeer implements Peer {
  readonly address: string
  readonly port: number
  readonly #listener: DatagramListener

  constructor(listener: DatagramListener, from: { address: string; port: number }) {
    this.address = from.address
    this.port = from.port
    this.#listener = listener
  }

  send(data: Message): void {
    this.#listener.send(data, this.port, this.address)
  }
}

/** How the socket of a UDP port looks an address up: peers are numbers already, so there is nothing to ask anybody. */
export function lookupLiteral(address: string, _options: unknown, found: (error: Error | null, address: string, family: number) => void): void {
  found(null, address, address.includes(':') ? 6 : 4)
}
