import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { WebSocket, WebSocketServer } from 'ws'
import type { DeflateConfig } from '../config/compression-schema.ts'
import type { CloseReason } from '../contracts/close-reason.ts'
import type { WebSocketHandler } from '../contracts/handlers.ts'
import type { PeerAddress } from './address.ts'
import { believe, clientAddress, clientOf } from './client-address.ts'
import { SocketConnection } from './connection.ts'
import type { ConnectionContext } from './connection-context.ts'
import type { ConnectionState } from './connection-state.ts'
import type { Connections } from './connections.ts'
import { DeflateWire } from './deflate-wire.ts'
import { handshakeFault, Origins, WRONG_VERSION } from './handshake.ts'
import { answerAndEnd } from './http-answer.ts'
import type { HttpSocket } from './http-socket.ts'
import type { Arrival } from './listener.ts'
import { callbacksOf } from './message-rate.ts'
import type { Movable, MovedState } from './movable.ts'
import { type StreamHandle, socketFromHandle, streamHandleOf } from './node-internals.ts'
import type { Outbox } from './outbox.ts'
import type { Port } from './port.ts'
import { OVERLOADED, STATUS } from './refusal.ts'
import { registered } from './registration.ts'
import type { Fault } from './request-head.ts'
import { type Accepted, checkUpgradeAnswer, type Denied } from './upgrade-answer.ts'
import type { UpgradeAuthorization } from './upgrade-authorization.ts'
import { listenTo, type PolyportSocket, type PolyportWebSocket } from './websocket-events.ts'
import { PING, webSocketWire } from './websocket-wire.ts'
import { canDeflate, createWebSocketServer, deflateParams, negotiation, readerState, restoreWebSocket } from './ws-internals.ts'

// How long a client may take to answer our close frame.
const CLOSE_MS = 1500

// The bounds of ws's own default, and what the smallest messages need.
const MAX_CHUNKS = 262_144
const MIN_CHUNKS = 1024

/** A WebSocket port, or the WebSocket path of an http port: upgrades, then messages → the handler. */
export class WebSocketUpgrade {
  readonly port: Port
  /** The path that upgrades; undefined: every path. */
  readonly #path: string | undefined
  readonly #server: WebSocketServer
  readonly #context: ConnectionContext
  readonly #deflate: DeflateConfig | undefined
  // By the size of the window: a frame of one is the same for all its connections.
  readonly #deflated = new Map<number, ConnectionContext>()
  readonly #origins: Origins | undefined
  readonly #authorization: UpgradeAuthorization | undefined
  readonly #chosen = new WeakMap<IncomingMessage, string>()
  readonly #cookies = new WeakMap<IncomingMessage, readonly string[]>()
  #isStopping = false

  constructor(parts: {
    port: Port
    path?: string
    /** The pages that may upgrade; undefined: all. */
    origins?: readonly string[] | undefined
    /** How messages are compressed; undefined: not at all. */
    deflate?: DeflateConfig | undefined
    authorization?: UpgradeAuthorization | undefined
    outbox: Outbox
    connections: Connections
    serverHeader?: string | undefined
  }) {
    this.port = parts.port
    this.#authorization = parts.authorization
    this.#path = parts.path
    this.#deflate = parts.deflate
    this.#origins = parts.origins && new Origins(parts.origins)
    const callbacks = callbacksOf(parts.port, webSocketWire)
    parts.port.heartbeat?.watch({
      pausedBy: (socket) => (socket as Partial<PolyportSocket>).polyport?.connection.inbox.pausedBy,
      ping: (socket) => (socket as PolyportSocket).polyport.connection.sendControl(PING),
      end: (socket) => (socket as PolyportSocket).polyport.connection.abort('heartbeat'),
    })
    this.#context = { port: parts.port, wire: webSocketWire, outbox: parts.outbox, connections: parts.connections, callbacks }
    const { maxPayload, maxFragments } = parts.port.limits
    this.#server = createWebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: this.#deflate === undefined ? false : negotiation(this.#deflate),
      // Ours leave behind what was sent before, and move with it (sendControl).
      autoPong: false,
      maxPayload,
      maxFragments,
      // Not in @types/ws yet: how long to wait for the peer's close frame.
      // And how many pieces of a message may be held that has not come whole: 32 bytes each on average.
      ...({ closeTimeout: CLOSE_MS, maxBufferedChunks: Math.min(Math.max(MIN_CHUNKS, Math.ceil(maxPayload / 32)), MAX_CHUNKS) } as object),
      handleProtocols: (offered, request) => {
        const protocol = this.#chosen.get(request)
        return protocol !== undefined && offered.has(protocol) ? protocol : false
      },
    })
    // A subprotocol or extension that cannot be read.
    this.#server.on('wsClientError', (_error, socket) => this.#refuse(socket as Socket, { status: 400, reason: 'error' }))
    const { serverHeader } = parts
    this.#server.on('headers', (headers, request) => {
      if (serverHeader !== undefined) headers.push(`Server: ${serverHeader}`)
      for (const cookie of this.#cookies.get(request) ?? []) headers.push(`Set-Cookie: ${cookie}`)
    })
  }

  /** Whether this request asks for what is served here. RFC 9110 section 7.8 lets a server ignore any other upgrade. */
  wants(request: IncomingMessage): boolean {
    // RFC 6455 section 4.1: GET, HTTP/1.1 or higher, with a Host.
    return request.method === 'GET' && request.httpVersion === '1.1' && request.headers.host !== undefined && this.isAskedFor(request)
  }

  /** Whether it means a WebSocket of this port, rightly or not. */
  isAskedFor(request: IncomingMessage): boolean {
    const { upgrade, connection } = request.headers
    if (upgrade?.toLowerCase() !== 'websocket' || connection === undefined || !/\bupgrade\b/i.test(connection)) return false
    return this.#path === undefined || pathOf(request) === this.#path
  }

  async upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    socket.on('error', ignore)
    const fault = handshakeFault(request, this.#origins)
    if (fault !== undefined) return this.#refuse(socket, fault)
    if (this.port.trustedProxies !== undefined) believe(request, this.port.trustedProxies)
    if (this.port.isOverloaded) return this.#turnAway(socket, 'rate', OVERLOADED)
    const over = this.port.occupancy.admitForwarded(socket, clientAddress(request))
    if (over !== undefined) return this.#turnAway(socket, over)
    const timer = setTimeout(() => this.#giveUp(socket), this.port.limits.upgradeSeconds * 1000)
    const accepted = await this.#accept(request, socket)
    clearTimeout(timer)
    if (accepted === undefined || socket.destroyed || socket.writableEnded) return
    if (this.#isStopping) return answerAndEnd(socket, 503)
    if (accepted.protocol !== undefined) this.#chosen.set(request, accepted.protocol)
    // What cannot be agreed on is declined (RFC 7692 section 5.1): ws would refuse the client.
    if (!canDeflate(this.#server, request)) delete request.headers['sec-websocket-extensions']
    this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#open(webSocket as PolyportWebSocket, socket as PolyportSocket, request, accepted))
  }

  /** Undefined when the client is refused: it has its answer. */
  async #accept(request: IncomingMessage, socket: HttpSocket): Promise<Accepted | undefined> {
    if (this.#authorization !== undefined) {
      const cookies = await this.#authorization.ask(request, socket)
      if (cookies === undefined) {
        // Unless it has been refused meanwhile, for the time that this took.
        if (socket.polyportRefused === undefined) this.port.refused('denied')
        return undefined
      }
      this.#cookies.set(request, cookies)
    }
    const answer = await this.#ask(request)
    return 'status' in answer ? this.#deny(socket, answer) : answer
  }

  /** `onUpgrade` takes too long: that is no fault of the client's. */
  #giveUp(socket: HttpSocket): void {
    // A second answer would come in the middle of the first.
    if (this.#authorization?.hasBegunToAnswer(socket) === true) return
    socket.polyportRefused = 'error'
    this.port.log.warn({ seconds: this.port.limits.upgradeSeconds }, 'Upgrade refused: onUpgrade has not answered in time')
    this.port.refused('error')
    answerAndEnd(socket, 503)
  }

  #refuse(socket: HttpSocket, fault: Fault): void {
    socket.polyportRefused = fault.reason
    if (fault.reason === 'origin') this.port.refused('origin')
    else this.port.counters.refuseRequest(fault.status, fault.reason)
    answerAndEnd(socket, fault.status, undefined, fault === WRONG_VERSION ? ['Sec-WebSocket-Version: 13'] : [])
  }

  stop(): void {
    this.#isStopping = true
    for (const socket of this.port.sockets) (socket as Partial<PolyportSocket>).polyport?.connection.end('shutdown')
  }

  async #ask(request: IncomingMessage): Promise<Accepted | Denied> {
    const handler = this.port.handler as WebSocketHandler
    if (handler.onUpgrade === undefined) return {}
    try {
      return checkUpgradeAnswer(await handler.onUpgrade(request), (uid, groups) => this.#context.connections.checkNames(uid, groups))
    } catch (error) {
      this.port.failed(error, 'onUpgrade')
      return { status: 500 }
    }
  }

  #turnAway(socket: HttpSocket, reason: CloseReason & keyof typeof STATUS, status: number = STATUS[reason]): void {
    socket.polyportRefused = reason
    this.port.refused(reason)
    answerAndEnd(socket, status)
  }

  #deny(socket: HttpSocket, { status, body }: Denied): undefined {
    if (socket.destroyed || socket.writableEnded) return
    socket.polyportRefused = 'denied'
    this.port.refused('denied')
    answerAndEnd(socket, status, body)
  }

  #open(webSocket: PolyportWebSocket, socket: PolyportSocket, request: IncomingMessage, accepted: Accepted): void {
    socket.off('error', ignore)
    const peer = clientOf(request)
    const connection = registered(this.#context, socket, () => {
      const made = this.#connect(webSocket, socket, peer)
      made.user = accepted.uid
      if (accepted.groups !== undefined) made.groups = new Set(accepted.groups)
      if (accepted.data !== undefined) made.data = accepted.data
      return made
    })
    if (connection === undefined) return
    const { log } = this.port
    if (log.isLevelEnabled('debug')) log.debug({ fd: connection.fd, remoteAddress: peer.address, remotePort: peer.port }, 'Connection opened')
    const promise = this.#context.callbacks.opened(connection, request)
    if (promise !== undefined) connection.waitFor(promise)
  }

  #connect(webSocket: PolyportWebSocket, socket: PolyportSocket, peer: PeerAddress | ConnectionState): SocketConnection {
    const connection = new SocketConnection(this.#contextOf(webSocket), socket, webSocket, peer)
    webSocket.polyport = connection
    socket.polyport = { connection, upgrade: this, webSocket }
    listenTo(webSocket, socket, this.port)
    return connection
  }

  #contextOf(webSocket: WebSocket): ConnectionContext {
    const params = deflateParams(webSocket)
    if (params === undefined || this.#deflate === undefined) return this.#context
    const bits = params.server_max_window_bits ?? 15
    const known = this.#deflated.get(bits)
    if (known !== undefined) return known
    const context = { ...this.#context, wire: new DeflateWire(this.#deflate, bits) }
    this.#deflated.set(bits, context)
    return context
  }

  *movables(): Iterable<Movable> {
    for (const socket of this.port.sockets) {
      const { connection, webSocket } = (socket as Partial<PolyportSocket>).polyport ?? {}
      const handle = streamHandleOf(socket)
      if (connection === undefined || webSocket === undefined || handle === undefined || webSocket.readyState !== webSocket.OPEN || !connection.rest()) continue
      yield {
        fd: connection.fd,
        handle,
        standing: this.port.standingOf(socket),
        halt: () => connection.halt(),
        goOn: () => connection.goOn(),
        state: () => stateOf(connection, webSocket, socket),
        letGo: () => connection.letGo(),
      }
    }
  }

  takeOver(client: StreamHandle, state: MovedState, arrival: Arrival): void {
    if (state.kind !== 'websocket') return client.close()
    const socket = socketFromHandle(client) as PolyportSocket
    this.port.takeOver(socket, arrival.from, state.connection.remoteAddress)
    const webSocket = restoreWebSocket(this.#server, socket, state.reader) as PolyportWebSocket
    const connection = this.#connect(webSocket, socket, state.connection)
    this.#context.connections.takeOver(connection, arrival.had)
    connection.takeOver(state.connection, () => arrival.replay(connection))
    if (connection.inbox.pausedBy === 0) webSocket.resume()
  }

  endOne(socket: Socket, { isRestart }: { isRestart: boolean }): void {
    const { connection } = (socket as PolyportSocket).polyport
    if (isRestart) webSocketWire.closeForRestart(connection)
    connection.end('shutdown')
  }

  /** @internal */
  reading(connection: SocketConnection | null): void {
    const { outbox, port } = this.#context
    if (connection === null) outbox.reader?.flush()
    else port.clock = performance.now()
    outbox.reader = connection
  }
}

/** Undefined when it has closed, or `ws` is in the middle of something. */
function stateOf(connection: SocketConnection, webSocket: WebSocket, socket: Socket): MovedState | undefined {
  // What has been read since it was paused goes to ws as ever, by the 'data' event: then it is in the state of its reader, or waits as messages.
  while (socket.read() !== null);
  const reader = readerState(webSocket)
  if (!connection.isOpen || webSocket.readyState !== webSocket.OPEN || reader === undefined) return undefined
  return { kind: 'websocket', connection: connection.state(), reader }
}

/** The path of a request without its query. */
export function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '/'
  const query = url.indexOf('?')
  return query === -1 ? url : url.slice(0, query)
}

// Until ws listens, a client that leaves in the middle of its handshake ends nothing but itself.
function ignore(): void {}
