import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { CloseReason } from '../contracts/close-reason.ts'
import type { PeerAddress } from './address.ts'
import { answerAndEnd } from './http-answer.ts'
import type { HttpRequests } from './http-requests.ts'
import type { HttpSocket } from './http-socket.ts'
import { HttpTimeouts } from './http-timeouts.ts'
import type { Http2Sessions } from './http2-sessions.ts'
import type { Arrival } from './listener.ts'
import type { Movable, MovedState } from './movable.ts'
import { createServer } from './node-http.ts'
import { idleSockets } from './node-http-internals.ts'
import { type StreamHandle, setPeer, socketFromHandle, startReading, stopReading, streamHandleOf } from './node-internals.ts'
import type { Port } from './port.ts'
import { refuseByHttp } from './refusal.ts'
import { endInGoodOrder } from './socket-end.ts'
import { reasonOf } from './socket-error.ts'
import type { SecureListener } from './tls-listener.ts'
import type { WebSocketUpgrade } from './websocket-upgrade.ts'

// How often a stopping port looks for connections that have become idle.
const SWEEP_MS = 20
// How long a stop waits for the rest of a request whose head has not come whole, or that has been answered before its end came.
const UNFINISHED_MS = 1000

/** An http or websocket port: Node's own HTTP server on sockets that were accepted here. */
export class HttpListener implements SecureListener {
  readonly port: Port
  readonly #requests: HttpRequests
  readonly #upgrade: WebSocketUpgrade | undefined
  readonly #server: Server
  readonly #timeouts: HttpTimeouts
  /** Where those go whose handshake has chosen HTTP/2. */
  readonly #http2: Http2Sessions | undefined
  #isSecure = false
  readonly #reasons = new WeakMap<Socket, CloseReason>()
  readonly #onSocketClose: (this: Socket) => void
  readonly #onSocketEnd: (this: Socket) => void
  /** Of a connection that ends when nothing else is known of it. */
  #usualReason: CloseReason = 'client'
  #sweeper: NodeJS.Timeout | undefined

  constructor(parts: { port: Port; requests: HttpRequests; upgrade?: WebSocketUpgrade; http2?: Http2Sessions | undefined }) {
    const { port, requests, upgrade } = parts
    this.#http2 = parts.http2
    this.port = port
    this.#requests = requests
    this.#upgrade = upgrade
    requests.webSockets = upgrade
    const reasonOfClose = (socket: HttpSocket): CloseReason => socket.polyportRefused ?? this.#reasons.get(socket) ?? this.#usualReason
    this.#onSocketClose = function () {
      port.released(this, reasonOfClose(this))
      requests.socketClosed(this)
    }
    this.#onSocketEnd = function () {
      requests.guard.onPeerEnd(this)
    }
    // Other upgrades are answered as the plain requests that they also are (Upgrade: h2c, say).
    const shouldUpgradeCallback = (request: IncomingMessage): boolean => this.#upgrades(request)
    this.#server = createServer({ ...requests.guard.serverOptions(), shouldUpgradeCallback } as object, requests.onRequest as never)
    requests.guard.watch(this.#server)
    this.#server.on('checkContinue', requests.onExpect as never)
    this.#server.on('checkExpectation', requests.onUnknownExpectation as never)
    this.#server.on('upgrade', (request, socket, head) => this.#onUpgrade(request, socket as Socket, head))
    this.#timeouts = new HttpTimeouts({ port, server: this.#server, onLate: requests.guard.onLate })
  }

  adopt(client: StreamHandle, peer: PeerAddress, head?: Buffer): void {
    const socket = socketFromHandle(client)
    setPeer(socket, peer)
    this.port.enter(socket, peer)
    if (head !== undefined) socket.unshift(head)
    this.#serve(socket)
  }

  secured(socket: TLSSocket): void {
    this.#isSecure = true
    if (this.#http2 !== undefined && socket.alpnProtocol === 'h2') this.#http2.serve(socket)
    else this.#serve(socket)
  }

  refuse(client: StreamHandle, status: number): void {
    refuseByHttp(client, status)
  }

  /** @param answeredAt when it had its latest response, of one that comes from another worker */
  #serve(socket: HttpSocket, answeredAt = 0): void {
    // Looked at for every request: it is found sooner if it is there.
    socket.polyportRefused = undefined
    socket.polyportResponse = undefined
    socket.polyportAnsweredAt = answeredAt
    this.#timeouts.start()
    socket.on('error', (error) => this.#reasons.set(socket, reasonOf(error)))
    socket.on('end', this.#onSocketEnd)
    socket.on('close', this.#onSocketClose)
    this.#server.emit('connection', socket)
  }

  *movables(): Iterable<Movable> {
    if (this.#upgrade !== undefined) yield* this.#upgrade.movables()
    for (const socket of idleSockets<HttpSocket>(this.#server, this.port.sockets)) {
      const handle = streamHandleOf(socket)
      if (handle === undefined || 'polyport' in socket || socket.writableEnded) continue
      const { bytesRead } = socket
      const peer = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }
      yield {
        fd: 0,
        handle,
        standing: this.port.standingOf(socket),
        halt: () => {
          socket.pause()
          stopReading(socket)
        },
        goOn: () => {
          socket.resume()
          startReading(socket)
        },
        // node:http may have begun to read again by itself: then a request has come, and is answered here.
        state: () => (socket.destroyed || socket.bytesRead !== bytesRead ? undefined : { kind: 'http', peer, isNew: !socket.polyportAnsweredAt }),
        letGo: () => {
          this.port.letGo(socket, 0)
          socket.destroy()
        },
      }
    }
  }

  takeOver(client: StreamHandle, state: MovedState, arrival: Arrival): void {
    if (state.kind === 'websocket') {
      if (this.#upgrade === undefined) client.close()
      else this.#upgrade.takeOver(client, state, arrival)
      return
    }
    if (state.kind !== 'http') return client.close()
    const socket = socketFromHandle(client)
    setPeer(socket, state.peer)
    this.port.takeOver(socket, arrival.from, state.peer.address)
    // To Node's parser it is a new one, which is to say something soon.
    this.#serve(socket, state.isNew ? 0 : performance.now())
  }

  lastOnes(): void {
    this.#requests.lastOnes()
  }

  endOne(socket: Socket, how: { isRestart: boolean }): void {
    if ('polyport' in socket) this.#upgrade?.endOne(socket, how)
    else if (this.#http2?.has(socket) === true) this.#http2.endOne(socket)
    // A request is answered first: that is the last one, and at the end of the time it is cut.
    else if (!this.#requests.isAnswering(socket) && !socket.writableEnded) {
      this.#reasons.set(socket, 'shutdown')
      endInGoodOrder(socket)
    }
  }

  stop(): void {
    this.#usualReason = 'shutdown'
    this.#requests.lastOnes()
    this.#upgrade?.stop()
    this.#http2?.stop()
    this.#closeIdle()
    const stoppedAt = performance.now()
    this.#sweeper = setInterval(() => {
      if (this.port.sockets.size === 0) clearInterval(this.#sweeper)
      this.#closeIdle()
      if (performance.now() - stoppedAt > UNFINISHED_MS) this.#closeUnfinished()
    }, SWEEP_MS)
  }

  #closeIdle(): void {
    if (!this.#isSecure) return this.#server.closeIdleConnections()
    // Node would leave out TLS's own word that this is the end (close_notify).
    for (const socket of idleSockets(this.#server, this.port.sockets)) {
      if (!('polyport' in socket) && this.#http2?.has(socket) !== true && !socket.writableEnded) endInGoodOrder(socket)
    }
  }

  /** For node:http a connection is idle only between whole requests; a client that stops in the middle of one would hold a stop up. */
  #closeUnfinished(): void {
    for (const socket of this.port.sockets) {
      if (!('polyport' in socket) && this.#http2?.has(socket) !== true && !this.#requests.isAnswering(socket)) socket.destroy()
    }
  }

  destroy(): void {
    clearInterval(this.#sweeper)
    this.#timeouts.stop()
    this.#server.close(() => {})
    this.#http2?.destroy()
    for (const socket of this.port.sockets) socket.destroy()
  }

  #upgrades(request: IncomingMessage): boolean {
    return this.#upgrade !== undefined && this.#requests.guard.admitsUpgrade(request) && this.#upgrade.wants(request)
  }

  #onUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    if (this.#upgrade === undefined || !this.#upgrades(request)) {
      // Only before Node 22.21, which has no shouldUpgradeCallback.
      return answerAndEnd(socket, 400)
    }
    socket.off('close', this.#onSocketClose)
    socket.off('end', this.#onSocketEnd)
    ;(socket as HttpSocket).polyportAnsweredAt = 0
    // A connection releases its socket by itself, with its own reason; this is for upgrades that were refused.
    socket.on('close', () => {
      if (!('polyport' in socket)) this.port.released(socket, (socket as HttpSocket).polyportRefused ?? 'client')
    })
    void this.#upgrade.upgrade(request, socket, head)
  }
}
