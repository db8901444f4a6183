import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { answerAndEnd } from './http-answer.ts'
import type { HttpSocket } from './http-socket.ts'
import { WITHOUT_TIMERS } from './http-timeouts.ts'
import { STATUS_CODES } from './node-http.ts'
import { abandonResponse, answerHalfClosed, hasSentHead } from './node-http-internals.ts'
import type { Port } from './port.ts'
import { boundBody, breakOff } from './request-body.ts'
import { BAD_REQUEST, type Fault, HeadCheck, TOO_LONG_BODY } from './request-head.ts'
import { endRefused } from './socket-end.ts'

// How long a client that has closed its side is believed to wait for an answer.
const HALF_CLOSED_MS = 5000

const TOO_LATE: Fault = { status: 408, reason: 'heartbeat' }
const TOO_LONG_TARGET: Fault = { status: 414, reason: 'frame_too_long' }
const TOO_LONG_HEAD: Fault = { status: 431, reason: 'frame_too_long' }
// No proxy, so CONNECT opens no tunnel (RFC 9110 section 9.3.6).
const NO_TUNNEL: Fault = { status: 501, reason: 'denied' }

// RFC 9112 section 3: a method and the beginning of a target, or all of it the middle of one. A line end or blank later on: the request line is over.
const IN_TARGET = /^(?:\r?\n)?(?:[^\s]+ )?[^\s]*$/

interface ParseError extends NodeJS.ErrnoException {
  readonly rawPacket?: Buffer
  readonly bytesParsed?: number
}

/**
 * What an HTTP connection may send and how long it may take, and the answers to what it may not. `node:http` parses; this
 * adds what it lets pass, and says why. A refused request is the last of its connection, and to its handler it is one whose client has left.
 */
export class HttpGuard {
  readonly #port: Port
  readonly #head: HeadCheck

  constructor(port: Port) {
    this.#port = port
    this.#head = new HeadCheck(port.limits)
  }

  /** Options for `createServer`. Never among them: `insecureHTTPParser`, which lets requests be smuggled. */
  serverOptions(): ServerOptions {
    // Ours are counted, and hold for upgrades.
    return { ...WITHOUT_TIMERS, maxHeaderSize: this.#port.limits.headerBytes, requireHostHeader: false }
  }

  /** Watches over a server that was made with `serverOptions`. */
  watch(server: Server): void {
    // Node keeps that many and drops the rest without a word: one too many shows.
    server.maxHeadersCount = this.#port.limits.headerFields + 1
    answerHalfClosed(server)
    server.on('clientError', this.#onClientError)
    server.on('connect', (_request, socket) => this.#refuse(socket as Socket, NO_TUNNEL))
  }

  /** The client has sent all that it will send. If it has only closed its side, it waits for its answer; if it has left, nobody does. */
  onPeerEnd(socket: HttpSocket): void {
    const { polyportResponse: response } = socket
    // Node ends what waits for nothing, and finds fault with half a request.
    if (response === undefined || !response.req.complete) return
    // What is on its way would show that nobody takes it, but may come seldom: events, say.
    if (hasSentHead(response)) {
      socket.end()
      return
    }
    const timer = setTimeout(() => {
      if (!hasSentHead(response)) socket.end()
    }, HALF_CLOSED_MS)
    timer.unref()
    socket.once('close', () => clearTimeout(timer))
  }

  /** Why a request may not go on. Of one that may, the body is bounded. */
  faultOf(request: IncomingMessage): Fault | undefined {
    const fault = this.#head.faultOf(request)
    if (fault === undefined && this.#head.hasOpenBody) boundBody(request, this.#port.limits.bodyBytes, this.#onTooLong)
    return fault
  }

  /** Whether the last one that was looked at has a body. */
  get hasBody(): boolean {
    return this.#head.hasBody
  }

  /** Answers a request that goes no further. */
  refuseRequest(request: IncomingMessage, response: ServerResponse, fault: Fault): void {
    const socket = request.socket as HttpSocket
    this.#note(socket, fault)
    // The end that Node makes of a connection behind its last response. It closes at once, and so may reset what the client has not read.
    socket.destroySoon = endSoon
    response.shouldKeepAlive = false
    const text = STATUS_CODES[fault.status] ?? ''
    response.writeHead(fault.status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': text.length }).end(text)
  }

  /** Whether the head of an upgrade is as it should be; if not, it is served as a plain request, and refused there. */
  admitsUpgrade(request: IncomingMessage): boolean {
    const { headers, socket } = request
    // RFC 6455 section 4.1: it has no body. Behind a request that has no answer yet it would be answered too early.
    if (headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0') return false
    return (socket as HttpSocket).polyportResponse === undefined && this.#head.faultOf(request) === undefined
  }

  /** Node's parser has refused what came; or the connection failed. */
  readonly #onClientError = (error: ParseError, duplex: Duplex): void => {
    const socket = duplex as HttpSocket
    if (socket.destroyed || socket.polyportRefused !== undefined) return
    const fault = faultOfError(error)
    if (fault === undefined) socket.destroy()
    else this.#refuse(socket, fault)
  }

  /** A head or a body takes too long. */
  readonly onLate = (socket: HttpSocket): void => {
    if (socket.destroyed || socket.polyportRefused !== undefined) return
    if (socket.bytesRead > 0) return this.#refuse(socket, TOO_LATE)
    // One that has come from another worker between two requests is new to Node's parser alone.
    if (socket.polyportAnsweredAt) return
    // RFC 9110 section 15.5.9: what has not begun needs no answer, and a client that is about to begin would take it for its own.
    socket.polyportRefused = TOO_LATE.reason
    socket.destroy()
  }

  readonly #onTooLong = (request: IncomingMessage): void => {
    if ((request.socket as HttpSocket).polyportRefused === undefined) this.#refuse(request.socket, TOO_LONG_BODY)
    breakOff(request)
  }

  /** Answers as soon as it is the turn of what is refused, if it still can be answered. */
  #refuse(socket: HttpSocket, fault: Fault): void {
    this.#note(socket, fault)
    const { polyportResponse: response, polyportUnread: unread } = socket
    if (response === undefined) {
      // Of a request whose body is wrong, and that was answered before, nobody waits for a second answer.
      if (unread?.complete === false) endRefused(socket)
      else answerAndEnd(socket, fault.status)
      return
    }
    if (response.req.complete) {
      response.once('close', () => answerAndEnd(socket, fault.status))
      return
    }
    if (response.socket !== socket || hasSentHead(response)) {
      socket.destroy()
      return
    }
    response.statusCode = fault.status
    abandonResponse(response, socket)
    answerAndEnd(socket, fault.status)
    breakOff(response.req)
  }

  #note(socket: HttpSocket, { status, reason }: Fault): void {
    socket.polyportRefused = reason
    this.#port.counters.refuseRequest(status, reason)
    const { log } = this.#port
    if (log.isLevelEnabled('debug')) log.debug({ status, reason, remoteAddress: socket.remoteAddress }, 'Request refused')
  }
}

/** Undefined when it is no fault of the request's. */
function faultOfError({ code, rawPacket, bytesParsed }: ParseError): Fault | undefined {
  if (code === 'HPE_HEADER_OVERFLOW') return rawPacket !== undefined && endsInTarget(rawPacket.subarray(0, bytesParsed)) ? TOO_LONG_TARGET : TOO_LONG_HEAD
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return TOO_LONG_BODY
  return code?.startsWith('HPE_') === true ? BAD_REQUEST : undefined
}

/** @param parsed what the parser has taken of a packet before it found too much */
function endsInTarget(parsed: Buffer): boolean {
  const before = parsed.lastIndexOf('\r\n\r\n')
  return IN_TARGET.test(parsed.toString('latin1', before === -1 ? 0 : before + 4))
}

function endSoon(this: Socket): void {
  endRefused(this)
}
