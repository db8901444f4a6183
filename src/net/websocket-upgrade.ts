import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import type { CloseReason } from '../contracts/close-reason.ts'
import type { UpgradeAnswer, WebSocketHandler } from '../contracts/handlers.ts'
import type { PeerAddress } from './address.ts'
import { believe, clientAddress, clientOf } from './client-address.ts'
import { SocketConnection } from './connection.ts'
import type { ConnectionContext } from './connection-context.ts'
import type { ConnectionState } from './connection-state.ts'
import type { Connections } from './connections.ts'
import type { Arrival } from './listener.ts'
import { callbacksOf } from './message-rate.ts'
import type { Movable, MovedState } from './movable.ts'
import { type StreamHandle, socketFromHandle, streamHandleOf } from './node-internals.ts'
import type { Outbox } from './outbox.ts'
import type { Port } from './port.ts'
import { OVERLOADED, STATUS } from './refusal.ts'
import { reasonOf } from './socket-error.ts'
import type { UpgradeAuthorization } from './upgrade-authorization.ts'
import { pongFrame, webSocketWire } from './websocket-wire.ts'
import { readerState, restoreWebSocket } from './ws-internals.ts'

// How long a client may take to answer our close frame.
const CLOSE_MS = 1500

interface Accepted {
  uid?: string
  groups?: readonly string[]
  data?: Record<string, unknown>
  protocol?: string
}

interface PolyportWebSocket extends WebSocket {
  polyport: SocketConnection
}

interface PolyportSocket extends Socket {
  polyport: { readonly connection: SocketConnection; readonly upgrade: WebSocketUpgrade; readonly webSocket: WebSocket }
}

/** A WebSocket port, or the WebSocket path of an http port: upgrades, then messages → the handler. */
export class WebSocketUpgrade {
  readonly port: Port
  /** The path that upgrades; undefined: every path. */
  readonly #path: string | undefined
  readonly #server: WebSocketServer
  readonly #context: ConnectionContext
  readonly #authorization: UpgradeAuthorization | undefined
  readonly #chosen = new WeakMap<IncomingMessage, string>()
  readonly #cookies = new WeakMap<IncomingMessage, readonly string[]>()
  #isStopping = false

  constructor(parts: {
    port: Port
    path?: string
    authorization?: UpgradeAuthorization | undefined
    outbox: Outbox
    connections: Connections
    serverHeader?: string | undefined
  }) {
    this.port = parts.port
    this.#authorization = parts.authorization
    this.#path = parts.path
    const callbacks = callbacksOf(parts.port, webSocketWire)
    this.#context = { port: parts.port, wire: webSocketWire, outbox: parts.outbox, connections: parts.connections, callbacks }
    const { maxPayload, maxFragments } = parts.port.limits
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      // Ours leave behind what was sent before, and move with it (sendControl).
      autoPong: false,
      maxPayload,
      maxFragments,
      // Not in @types/ws yet: how long to wait for the peer's close frame.
      ...({ closeTimeout: CLOSE_MS } as object),
      handleProtocols: (_offered, request) => this.#chosen.get(request) ?? false,
    })
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
    if (this.port.trustedProxies !== undefined) believe(request, this.port.trustedProxies)
    if (this.port.isOverloaded) return this.#turnAway(socket, 'rate', OVERLOADED)
    const over = this.port.occupancy.admitForwarded(socket, clientAddress(request))
    if (over !== undefined) return this.#turnAway(socket, over)
    if (this.#authorization !== undefined) {
      const cookies = await this.#authorization.ask(request, socket)
      if (cookies === undefined) return this.port.refused('denied')
      this.#cookies.set(request, cookies)
    }
    const answer = await this.#ask(request)
    if (socket.destroyed) return
    if (this.#isStopping) return refuse(socket, 503)
    if (answer === false) return this.#deny(socket, 403)
    if (typeof answer === 'object' && 'status' in answer) return this.#deny(socket, answer.status, answer.body)
    const accepted: Accepted = typeof answer === 'object' ? answer : {}
    if (accepted.protocol !== undefined) this.#chosen.set(request, accepted.protocol)
    this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#open(webSocket as PolyportWebSocket, socket as PolyportSocket, request, accepted))
  }

  stop(): void {
    this.#isStopping = true
    for (const socket of this.port.sockets) (socket as Partial<PolyportSocket>).polyport?.connection.end('shutdown')
  }

  async #ask(request: IncomingMessage): Promise<UpgradeAnswer> {
    const handler = this.port.handler as WebSocketHandler
    if (handler.onUpgrade === undefined) return true
    try {
      return (await handler.onUpgrade(request)) ?? true
    } catch (error) {
      this.port.failed(error, 'onUpgrade')
      return { status: 500 }
    }
  }

  #turnAway(socket: Socket, reason: CloseReason & keyof typeof STATUS, status: number = STATUS[reason]): void {
    this.port.refused(reason)
    refuse(socket, status)
  }

  #deny(socket: Socket, status: number, body?: string): void {
    this.port.refused('denied')
    refuse(socket, status, body)
  }

  #open(webSocket: PolyportWebSocket, socket: PolyportSocket, request: IncomingMessage, accepted: Accepted): void {
    socket.off('error', ignore)
    const peer = clientOf(request)
    const connection = this.#connect(webSocket, socket, peer)
    connection.uid = accepted.uid
    if (accepted.groups !== undefined) connection.groups = new Set(accepted.groups)
    if (accepted.data !== undefined) connection.data = accepted.data
    this.#context.connections.add(connection)
    const { log } = this.port
    if (log.isLevelEnabled('debug')) log.debug({ fd: connection.fd, remoteAddress: peer.address, remotePort: peer.port }, 'Connection opened')
    const promise = this.#context.callbacks.opened(connection, request)
    if (promise !== undefined) connection.waitFor(promise)
  }

  #connect(webSocket: PolyportWebSocket, socket: PolyportSocket, peer: PeerAddress | ConnectionState): SocketConnection {
    const connection = new SocketConnection(this.#context, socket, webSocket, peer)
    webSocket.polyport = connection
    socket.polyport = { connection, upgrade: this, webSocket }
    webSocket.on('message', onMessage as (this: WebSocket, data: unknown, isBinary: boolean) => void)
    webSocket.on('ping', onPing)
    webSocket.on('error', onError)
    webSocket.on('close', onClose)
    socket.on('drain', onDrain)
    readThrough(socket)
    return connection
  }

  *movables(): Iterable<Movable> {
    for (const socket of this.port.sockets) {
      const { connection, webSocket } = (socket as Partial<PolyportSocket>).polyport ?? {}
      const handle = streamHandleOf(socket)
      if (connection === undefined || webSocket === undefined || handle === undefined || webSocket.readyState !== webSocket.OPEN || !connection.rest()) continue
      yield {
        fd: connection.fd,
        handle,
        ticket: this.port.occupancy.ticketOf(socket),
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
    if (state.unread.length > 0) socket.unshift(Buffer.from(state.unread))
    const connection = this.#connect(webSocket, socket, state.connection)
    this.#context.connections.takeOver(connection, arrival.had)
    connection.takeOver(state.connection, () => arrival.replay(connection))
    if (!connection.isPaused) webSocket.resume()
  }

  endOne(socket: Socket): void {
    const { connection } = (socket as PolyportSocket).polyport
    connection.isRestart = true
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
  const reader = readerState(webSocket)
  if (!connection.isOpen || webSocket.readyState !== webSocket.OPEN || reader === undefined) return undefined
  const unread: Buffer | null = socket.read()
  if (unread !== null) socket.unshift(unread)
  return { kind: 'websocket', connection: connection.state(), reader, unread: unread ?? Buffer.alloc(0) }
}

/** The path of a request without its query. */
export function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '/'
  const query = url.indexOf('?')
  return query === -1 ? url : url.slice(0, query)
}

/** Answers an upgrade with a plain response and closes. */
function refuse(socket: Socket, status: number, body: string = STATUS_CODES[status] ?? ''): void {
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ]
  socket.once('finish', () => socket.destroy())
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

// Until ws listens, a client that leaves in the middle of its handshake ends nothing but itself.
function ignore(): void {}

function onMessage(this: WebSocket, data: Buffer, isBinary: boolean): void {
  connectionOf(this).onMessage(isBinary ? data : data.toString())
}

function onPing(this: WebSocket, data: Buffer): void {
  connectionOf(this).sendControl(pongFrame(data))
}

function onError(this: WebSocket, error: Error & { code?: string }): void {
  if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') connectionOf(this).end('frame_too_long')
  else if (error.code?.startsWith('WS_ERR_')) connectionOf(this).end('error')
  else connectionOf(this).abort(reasonOf(error))
}

function onClose(this: WebSocket): void {
  connectionOf(this).onSocketClose()
}

function connectionOf(webSocket: WebSocket): SocketConnection {
  return (webSocket as PolyportWebSocket).polyport
}

function onDrain(this: PolyportSocket): void {
  this.polyport.connection.onSocketDrain()
}

type DataListener = (this: Socket, chunk: Buffer) => void

// ws has one listener for all sockets, so one of ours is enough, too.
let wrapped: DataListener | undefined

/** Puts ourselves around ws's own listener: what the messages of one read are answered with leaves in one write. */
function readThrough(socket: PolyportSocket): void {
  const [original] = socket.listeners('data') as DataListener[]
  if (original === undefined) return
  wrapped ??= around(original)
  socket.off('data', original)
  socket.on('data', wrapped)
}

function around(original: DataListener): DataListener {
  function onData(this: Socket, chunk: Buffer): void {
    const { upgrade, connection } = (this as PolyportSocket).polyport
    upgrade.reading(connection)
    original.call(this, chunk)
    upgrade.reading(null)
  }
  // As the wrappers of once(): when ws takes its listener away, this one goes.
  onData.listener = original
  return onData
}
