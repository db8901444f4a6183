import type { Socket } from 'node:net'
import type { Server, TLSSocket } from 'node:tls'
import type { TlsConfig } from '../config/tls-schema.ts'
import type { CloseReason } from '../contracts/close-reason.ts'
import type { PeerAddress } from './address.ts'
import type { Listener } from './listener.ts'
import { type StreamHandle, setPeer, socketFromHandle, underlying } from './node-internals.ts'
import type { Port } from './port.ts'
import { tlsServerOptions } from './tls-options.ts'

/** A listener that goes on with a client once its handshake is done. */
export interface SecureListener extends Listener {
  secured(socket: TLSSocket, peer: PeerAddress): void
}

interface Handshake {
  readonly peer: PeerAddress
  reason: CloseReason
}

/**
 * TLS in front of the listener of a port. Clients in their handshake count as connections of the port; its handler hears of
 * those that are done with it. Nothing moves to another worker: the keys of a connection are in OpenSSL's hands.
 */
export class TlsListener implements Listener {
  readonly port: Port
  readonly #inner: SecureListener
  readonly #server: Server
  readonly #handshakes = new Map<Socket, Handshake>()

  readonly #onClose = (socket: Socket): void => this.#ended(socket)

  constructor(parts: { inner: SecureListener; tls: TlsConfig }) {
    this.port = parts.inner.port
    this.#inner = parts.inner
    // It never listens: sockets that were accepted here are given to it (the documented use of its event 'connection').
    this.#server = process.getBuiltinModule('node:tls').createServer(tlsServerOptions(parts.tls, this.port.name))
    this.#server.on('secureConnection', (socket) => this.#done(socket))
    this.#server.on('tlsClientError', (error, socket) => this.#failed(error, socket))
  }

  adopt(client: StreamHandle, peer: PeerAddress, head?: Buffer): void {
    const socket = socketFromHandle(client)
    // The TLS socket does the same: who goes away in the handshake is gone. Later one side may end before the other, as without TLS.
    socket.allowHalfOpen = false
    this.port.enter(socket, peer)
    this.#handshakes.set(socket, { peer, reason: 'client' })
    // Behind the words of the TLS socket on it, which closes with it and may say why.
    socket.on('close', () => setImmediate(this.#onClose, socket))
    if (head !== undefined) socket.unshift(head)
    this.#server.emit('connection', socket)
  }

  leave(): void {
    this.#inner.leave?.()
  }

  lastOnes(): void {
    this.#inner.lastOnes?.()
  }

  endOne(socket: Socket, how: { isRestart: boolean }): void {
    if (this.#handshakes.has(socket)) this.#cut(socket)
    else this.#inner.endOne?.(socket, how)
  }

  stop(): void {
    for (const socket of [...this.#handshakes.keys()]) this.#cut(socket)
    this.#inner.stop()
  }

  destroy(): void {
    for (const socket of [...this.#handshakes.keys()]) this.#cut(socket)
    this.#inner.destroy()
  }

  #done(socket: TLSSocket): void {
    const raw = underlying(socket)
    const handshake = this.#handshakes.get(raw)
    if (handshake === undefined) {
      socket.destroy()
      return
    }
    this.#handshakes.delete(raw)
    socket.allowHalfOpen = true
    setPeer(socket, handshake.peer)
    this.port.replace(raw, socket)
    this.#inner.secured(socket, handshake.peer)
  }

  #failed(error: Error & { code?: string }, socket: TLSSocket): void {
    const handshake = this.#handshakes.get(underlying(socket))
    const { authorizationError } = socket
    // One that goes away, as who only looks whether the port is open, is no failure of TLS.
    if (handshake !== undefined && (error.code !== 'ECONNRESET' || (authorizationError ?? null) !== null)) {
      handshake.reason = 'tls'
      this.port.refused('tls', { code: authorizationError ?? error.code, remoteAddress: handshake.peer.address })
    }
    socket.destroy()
  }

  #cut(socket: Socket): void {
    const handshake = this.#handshakes.get(socket)
    if (handshake !== undefined) handshake.reason = 'shutdown'
    this.#ended(socket)
    socket.destroy()
  }

  /** Before the end of its handshake; later it is the inner listener's. */
  #ended(socket: Socket): void {
    const handshake = this.#handshakes.get(socket)
    if (handshake === undefined) return
    this.#handshakes.delete(socket)
    this.port.released(socket, handshake.reason)
  }
}
