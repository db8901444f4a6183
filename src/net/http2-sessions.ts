import type { IncomingMessage } from 'node:http'
import type { Http2Server, ServerHttp2Session, ServerOptions } from 'node:http2'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { LimitsConfig } from '../config/limits-schema.ts'
import type { CloseReason } from '../contracts/close-reason.ts'
import type { HttpRequests } from './http-requests.ts'
import { type BoundedStreamRequest, type MeasuredStreamResponse, messageClasses } from './http2-messages.ts'
import { STATUS_CODES } from './node-http.ts'
import type { MeasuredResponse } from './node-http-internals.ts'
import type { Port } from './port.ts'
import { type Fault, TOO_LONG_BODY } from './request-head.ts'
import { reasonOf } from './socket-error.ts'

// How often requests are looked at that have not come in whole.
const SWEEP_MS = 500
const TOO_LONG_HEAD: Fault = { status: 431, reason: 'frame_too_long' }
const TOO_LATE: Fault = { status: 408, reason: 'heartbeat' }

// More than any browser uses. Node's own limit is 4,294,967,295.
const MAX_STREAMS = 128
// Streams that a client may open and reset at once, and per second after that; nghttp2 then ends the connection (CVE-2023-44487).
const RESET_BURST = 256
const RESETS_PER_SECOND = 33
// Frames that break the protocol, and streams over the limit, that a connection survives. Node's own limits are 1000 and 100.
const MAX_INVALID_FRAMES = 32
const MAX_REJECTED_STREAMS = 32

/**
 * The HTTP/2 connections of an http port: the same handler, by Node's compatibility API. Sockets come here when their handshake has chosen `h2`.
 * What a client may do is bounded by nghttp2 and Node: CONTINUATION frames (8), SETTINGS and PING that wait for an answer (1000), entries of
 * a SETTINGS frame (32), memory of a connection (10 MB); and by what is set here.
 */
export class Http2Sessions {
  readonly #port: Port
  readonly #requests: HttpRequests
  readonly #server: Http2Server
  readonly #sessions = new Map<Socket, ServerHttp2Session>()
  readonly #reasons = new WeakMap<Socket, CloseReason>()
  readonly #live = new Map<BoundedStreamRequest, MeasuredStreamResponse>()
  #serving: TLSSocket | undefined
  #sweeper: NodeJS.Timeout | undefined

  constructor(parts: { port: Port; requests: HttpRequests }) {
    this.#port = parts.port
    this.#requests = parts.requests
    const { limits } = parts.port
    const classes = messageClasses(limits.bodyBytes, (request) => this.#refuse(request, TOO_LONG_BODY))
    this.#server = process.getBuiltinModule('node:http2').createServer({ ...optionsOf(limits), ...classes } as ServerOptions)
    this.#server.on('request', (request, response) => this.#onRequest(request as BoundedStreamRequest, response as MeasuredStreamResponse))
    this.#server.on('session', (session) => this.#onSession(session))
    this.#server.on('sessionError', (error, session) => this.#onSessionError(error, session))
  }

  has(socket: Socket): boolean {
    return this.#sessions.has(socket)
  }

  serve(socket: TLSSocket): void {
    socket.on('error', (error) => this.#reasons.set(socket, reasonOf(error)))
    socket.on('close', () => {
      this.#sessions.delete(socket)
      this.#port.released(socket, this.#reasons.get(socket) ?? 'client')
    })
    this.#serving = socket
    // It never listens: this is the documented way to give it a connection. The session is there when this returns.
    this.#server.emit('connection', socket)
    this.#serving = undefined
  }

  /** Says GOAWAY: what is under way is answered, and the connection ends with the last of it. */
  endOne(socket: Socket): void {
    const session = this.#sessions.get(socket)
    if (session === undefined || session.closed) return
    this.#reasons.set(socket, 'shutdown')
    session.close()
  }

  stop(): void {
    for (const socket of this.#sessions.keys()) this.endOne(socket)
  }

  destroy(): void {
    clearInterval(this.#sweeper)
    for (const session of this.#sessions.values()) session.destroy()
  }

  #onSession(session: ServerHttp2Session): void {
    const socket = this.#serving
    if (socket === undefined) return
    this.#sessions.set(socket, session)
    session.setTimeout(this.#port.limits.keepAliveSeconds * 1000, () => this.#onIdle(socket, session))
  }

  /** Nothing has come or gone for a while. A handler that takes its time is not the client's fault. */
  #onIdle(socket: Socket, session: ServerHttp2Session): void {
    for (const request of this.#live.keys()) if (request.stream.session === session) return
    this.#reasons.set(socket, 'heartbeat')
    session.close()
  }

  #onSessionError(error: Error & { code?: string }, session: ServerHttp2Session): void {
    for (const [socket, each] of this.#sessions) if (each === session) this.#reasons.set(socket, reasonOf(error))
    this.#port.log.debug({ code: error.code }, 'HTTP/2 connection failed')
  }

  #onRequest(request: BoundedStreamRequest, response: MeasuredStreamResponse): void {
    // Handlers that know HTTP/1.1 look for it here (RFC 9113 section 8.3.1).
    request.headers.host ??= request.headers[':authority']
    response.startedAt = performance.now()
    this.#live.set(request, response)
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref()
    response.on('close', () => {
      this.#live.delete(request)
      this.#requests.count(response as unknown as MeasuredResponse)
    })
    const { bodyBytes, headerBytes } = this.#port.limits
    // The setting that says so to the client holds only from its answer on.
    if (sizeOf(request.rawHeaders) > headerBytes) this.#refuse(request, TOO_LONG_HEAD)
    else if (Number(request.headers['content-length'] ?? 0) > bodyBytes) this.#refuse(request, TOO_LONG_BODY)
    else this.#requests.onStream(request as unknown as IncomingMessage, response as unknown as MeasuredResponse)
  }

  /** A request that does not come in whole in time is refused. */
  #sweep(): void {
    const { NGHTTP2_STREAM_STATE_OPEN } = process.getBuiltinModule('node:http2').constants
    const oldest = performance.now() - this.#port.limits.requestSeconds * 1000
    for (const [request, { startedAt }] of this.#live) {
      // In the order of their beginning.
      if (startedAt > oldest) return
      if (request.stream.state.state === NGHTTP2_STREAM_STATE_OPEN) this.#refuse(request, TOO_LATE)
    }
  }

  /** Answers if nothing has been answered yet; the connection goes on for its other requests. */
  #refuse(request: BoundedStreamRequest, { status, reason }: Fault): void {
    const response = this.#live.get(request)
    this.#port.counters.refuseRequest(status, reason)
    const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = process.getBuiltinModule('node:http2').constants
    const { stream } = request
    request.breakOff()
    if (response === undefined || response.headersSent || stream.destroyed) return stream.close(NGHTTP2_CANCEL)
    const text = STATUS_CODES[status] ?? ''
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' })
    // RFC 9113 section 8.1: the answer is whole, the rest of the request is not wanted.
    response.end(text, () => stream.close(NGHTTP2_NO_ERROR))
  }
}

/** As HTTP/2 counts it (RFC 9113 section 6.5.2). */
function sizeOf(rawHeaders: readonly string[]): number {
  return rawHeaders.reduce((sum, text) => sum + text.length + 16, 0)
}

function optionsOf({ headerBytes, headerFields }: LimitsConfig): ServerOptions {
  return {
    settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: headerBytes },
    maxHeaderListPairs: headerFields,
    maxSessionInvalidFrames: MAX_INVALID_FRAMES,
    maxSessionRejectedStreams: MAX_REJECTED_STREAMS,
    // Not in every version of @types/node.
    ...({ streamResetBurst: RESET_BURST, streamResetRate: RESETS_PER_SECOND } as object),
  }
}
