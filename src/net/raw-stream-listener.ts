import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { CloseReason } from '../contracts/close-reason.ts'
import type { StreamHandler, StreamInfo } from '../contracts/handlers.ts'
import type { PeerAddress } from './address.ts'
import { type StreamHandle, setPeer, socketFromHandle } from './node-internals.ts'
import type { Port } from './port.ts'
import { endInGoodOrder } from './socket-end.ts'
import { reasonOf } from './socket-error.ts'
import { tlsInfoOf } from './tls-info.ts'
import type { SecureListener } from './tls-listener.ts'

/** A stream port: the handler gets the raw duplex. */
export class RawStreamListener implements SecureListener {
  readonly port: Port
  /** Of the clients that the handler has: why each ends, if nothing else happens. */
  readonly #reasons = new WeakMap<Socket, CloseReason>()

  constructor(port: Port) {
    this.port = port
    port.heartbeat?.watch({
      pausedBy: (socket) => (this.#reasons.has(socket) ? 0 : undefined),
      end: (socket) => {
        this.#reasons.set(socket, 'heartbeat')
        socket.destroy()
      },
    })
  }

  adopt(client: StreamHandle, peer: PeerAddress, head?: Buffer): void {
    const socket = socketFromHandle(client)
    setPeer(socket, peer)
    this.port.enter(socket, peer)
    if (head !== undefined) socket.unshift(head)
    this.#open(socket, peer)
  }

  secured(socket: TLSSocket, peer: PeerAddress): void {
    this.#open(socket, peer)
  }

  #open(socket: Socket, peer: PeerAddress): void {
    const info = { remoteAddress: peer.address, remotePort: peer.port, port: this.port.name, tls: tlsInfoOf(socket) }
    this.#reasons.set(socket, 'client')
    socket.on('error', (error) => this.#reasons.set(socket, reasonOf(error)))
    socket.on('close', () => this.port.released(socket, this.#reasons.get(socket) ?? 'client'))
    void this.#give(socket, info)
  }

  async #give(socket: Socket, info: StreamInfo): Promise<void> {
    const start = performance.now()
    if (!(await this.port.settle(this.#call(socket, info), 'onStream'))) socket.destroy()
    this.port.counters.handler.observeMs(performance.now() - start)
  }

  async #call(socket: Socket, info: StreamInfo): Promise<void> {
    await (this.port.handler as StreamHandler).onStream(socket, info)
  }

  endOne(socket: Socket): void {
    // An error that comes later has its own reason; one that is known already stays.
    if (this.#reasons.get(socket) === 'client') this.#reasons.set(socket, 'shutdown')
    endInGoodOrder(socket)
  }

  stop(): void {
    for (const socket of this.port.sockets) this.endOne(socket)
  }

  destroy(): void {
    for (const socket of this.port.sockets) socket.destroy()
  }
}
