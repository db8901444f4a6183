import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { HttpHandler } from '../contracts/handlers.ts'
import { believe } from './client-address.ts'
import { HttpGuard } from './http-guard.ts'
import type { HttpSocket } from './http-socket.ts'
import { isPromise } from './is-promise.ts'
import { announceKeepAlive, type MeasuredResponse, type ResponseObserver, tellWhenLeft } from './node-http-internals.ts'
import type { Port } from './port.ts'
import { BAD_REQUEST, UNKNOWN_EXPECTATION } from './request-head.ts'

/** Stands before the handler: looks at a request, or answers it instead of calling `next`. */
export type RequestStep = (request: IncomingMessage, response: ServerResponse, next: () => void) => void

/** The requests of an http port → the handler; or, on a websocket port, their refusal. */
export class HttpRequests implements ResponseObserver {
  readonly guard: HttpGuard
  /** The WebSockets of the same port. */
  webSockets: { isAskedFor(request: IncomingMessage): boolean } | undefined
  readonly #port: Port
  readonly #steps: readonly RequestStep[]
  readonly #serverHeader: string | undefined
  readonly #keepAliveMs: number
  #isStopping = false

  constructor(parts: { port: Port; steps?: readonly RequestStep[]; serverHeader?: string | undefined }) {
    this.#port = parts.port
    this.guard = new HttpGuard(parts.port)
    this.#steps = parts.steps ?? []
    this.#serverHeader = parts.serverHeader
    this.#keepAliveMs = parts.port.limits.keepAliveSeconds * 1000
  }

  readonly onRequest = (request: IncomingMessage, response: MeasuredResponse): void => {
    const start = performance.now()
    if (this.#admits(request, response, start)) this.#serve(request, response, start)
  }

  /** The client waits for 100 (Continue) before it sends its body. */
  readonly onExpect = (request: IncomingMessage, response: MeasuredResponse): void => {
    const start = performance.now()
    if (!this.#admits(request, response, start)) return
    response.writeContinue()
    this.#serve(request, response, start)
  }

  /** The client asks for something else than 100 (Continue) beforehand: RFC 9110 section 10.1.1. */
  readonly onUnknownExpectation = (request: IncomingMessage, response: MeasuredResponse): void => {
    const start = performance.now()
    if (!this.#admits(request, response, start)) return
    this.#follow(response, start)
    this.guard.refuseRequest(request, response, UNKNOWN_EXPECTATION)
  }

  /** A request of HTTP/2: its connection has others beside it, and checks and counts of its own. */
  readonly onStream = (request: IncomingMessage, response: MeasuredResponse): void => {
    const { counters, trustedProxies } = this.#port
    if (this.#serverHeader !== undefined) response.setHeader('Server', this.#serverHeader)
    counters.messagesIn++
    if (trustedProxies !== undefined) believe(request, trustedProxies)
    response.observer = this
    this.#serve(request, response, response.startedAt ?? performance.now())
  }

  #admits(request: IncomingMessage, response: MeasuredResponse, start: number): boolean {
    const socket = request.socket as HttpSocket
    // What comes behind a request that was refused has no answer.
    if (socket.polyportRefused !== undefined) return false
    if (this.#isStopping || this.#port.isBusy) response.shouldKeepAlive = false
    if (this.#serverHeader !== undefined) response.setHeader('Server', this.#serverHeader)
    announceKeepAlive(response, this.#keepAliveMs)
    const { counters, trustedProxies } = this.#port
    counters.messagesIn++
    if (trustedProxies !== undefined) believe(request, trustedProxies)
    const fault = this.guard.faultOf(request)
    if (fault === undefined) return true
    this.#follow(response, start)
    this.guard.refuseRequest(request, response, fault)
    return false
  }

  #serve(request: IncomingMessage, response: MeasuredResponse, start: number): void {
    const isForWebSockets = this.webSockets?.isAskedFor(request) === true
    if (!isForWebSockets && this.#port.protocol === 'http' && this.#steps.length === 0) return this.#handle(request, response, start)
    this.#follow(response, start)
    if (isForWebSockets) this.guard.refuseRequest(request, response, BAD_REQUEST)
    else if (this.#port.protocol === 'websocket') refusePlain(response)
    else this.#step(0, request, response)
  }

  /** Every response from now on is the last of its connection. */
  lastOnes(): void {
    this.#isStopping = true
    for (const socket of this.#port.sockets) {
      const { polyportResponse: response } = socket as HttpSocket
      if (response !== undefined) response.shouldKeepAlive = false
    }
  }

  /** Whether a response of this connection has not left yet. */
  isAnswering(socket: Socket): boolean {
    return (socket as HttpSocket).polyportResponse !== undefined
  }

  /** The connection has closed: a response that was not finished is counted too. */
  socketClosed(socket: Socket): void {
    const { polyportResponse: response } = socket as HttpSocket
    if (response?.observer !== undefined) this.responded(response)
  }

  /** A response has left, or broken off. */
  responded(response: MeasuredResponse): void {
    response.observer = undefined
    // An idle connection would keep its last request and response alive, 3 KiB.
    const socket = response.req.socket as HttpSocket
    if (socket.polyportResponse === response) socket.polyportResponse = undefined
    if (!response.req.complete) socket.polyportUnread = response.req
    answered(socket, this.count(response))
  }

  /** Once for each response, when it is over. @returns when that is */
  count(response: MeasuredResponse): number {
    const end = performance.now()
    this.#count(response, end - (response.startedAt ?? end))
    return end
  }

  #count({ req, statusCode }: ServerResponse, ms: number): void {
    const { counters } = this.#port
    counters.messagesOut++
    counters.requestDuration.observeMs(ms)
    counters.request(req.method ?? 'GET', statusCode)
  }

  /** From now on somebody may ask for this response, and its end is noted. */
  #follow(response: MeasuredResponse, start: number): void {
    if (response.observer !== undefined) return
    response.startedAt = start
    tellWhenLeft(response, this)
    const socket = response.req.socket as HttpSocket
    socket.polyportResponse = response
  }

  #step(index: number, request: IncomingMessage, response: MeasuredResponse): void {
    const step = this.#steps[index]
    if (step === undefined) return this.#handle(request, response, performance.now())
    try {
      step(request, response, () => this.#step(index + 1, request, response))
    } catch (error) {
      this.#port.failed(error, 'onRequest')
      answerFailure(response)
    }
  }

  #handle(request: IncomingMessage, response: MeasuredResponse, start: number): void {
    const port = this.#port
    const { hasBody } = this.guard
    try {
      const result: unknown = (port.handler as HttpHandler).onRequest(request, response)
      if (isPromise(result)) {
        this.#follow(response, start)
        void this.#settle(result, request, response, start)
        return
      }
    } catch (error) {
      port.failed(error, 'onRequest')
      answerFailure(response)
    }
    const end = performance.now()
    port.counters.handler.observeMs(end - start)
    if (response.observer !== undefined) return
    // Most responses have left already, and need not be followed. Nothing is put on them: that is slow for those to which Express has given another prototype.
    const { socket } = response
    if (hasBody || !response.writableEnded || socket?.writableLength !== 0) return this.#follow(response, start)
    this.#count(response, end - start)
    answered(socket, end)
  }

  async #settle(result: PromiseLike<unknown>, request: IncomingMessage, response: ServerResponse, start: number): Promise<void> {
    if (!(await this.#port.settle(unlessGone(result, request), 'onRequest'))) answerFailure(response)
    this.#port.counters.handler.observeMs(performance.now() - start)
  }
}

/** From now on a connection waits for its next request. What a handler has said of how long its own may take does not hold for that. */
function answered(socket: HttpSocket, now: number): void {
  socket.polyportAnsweredAt = now
  if (socket.timeout) socket.setTimeout(0)
}

/** A handler that reads the body of a client that leaves meanwhile has not failed. */
async function unlessGone(result: PromiseLike<unknown>, request: IncomingMessage): Promise<void> {
  try {
    await result
  } catch (error) {
    if (error !== request.errored) throw error
  }
}

/** The handler failed: 500 if nothing has left yet, otherwise the client sees the response break off. */
function answerFailure(response: ServerResponse): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  for (const name of response.getHeaderNames()) response.removeHeader(name)
  response.writeHead(500, { 'Content-Type': 'text/plain; charset=utf-8' }).end('Internal Server Error\n')
}

function refusePlain(response: ServerResponse): void {
  response.writeHead(426, { Upgrade: 'websocket', Connection: 'Upgrade', 'Content-Type': 'text/plain; charset=utf-8' })
  response.end('This port speaks WebSocket\n')
}
