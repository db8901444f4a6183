import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { HttpHandler } from '../contracts/handlers.ts'
import { believe } from './client-address.ts'
import { HttpGuard } from './http-guard.ts'
import type { HttpSocket } from './http-socket.ts'
import { isPromise } from './is-promise.ts'
import type { MeasuredResponse, ResponseObserver } from './node-internals.ts'
import type { Port } from './port.ts'
import { BAD_REQUEST } from './request-head.ts'

/** Stands before the handler: looks at a request, or answers it instead of calling `next`. */
export type RequestStep = (request: IncomingMessage, response: ServerResponse, next: () => void) => void

// RFC 9110 section 9 and RFC 5789. Anything else is counted as OTHER: a label must not come from a client.
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'])

/** The requests of an http port → the handler; or, on a websocket port, their refusal. */
export class HttpRequests implements ResponseObserver {
  readonly guard: HttpGuard
  /** The WebSockets of the same port. */
  webSockets: { isAskedFor(request: IncomingMessage): boolean } | undefined
  readonly #port: Port
  readonly #steps: readonly RequestStep[]
  readonly #serverHeader: string | undefined
  #isStopping = false

  constructor(parts: { port: Port; steps?: readonly RequestStep[]; serverHeader?: string | undefined }) {
    this.#port = parts.port
    this.guard = new HttpGuard(parts.port)
    this.#steps = parts.steps ?? []
    this.#serverHeader = parts.serverHeader
  }

  readonly onRequest = (request: IncomingMessage, response: MeasuredResponse): void => {
    if (this.#admits(request, response)) this.#serve(request, response)
  }

  /** The client waits for 100 (Continue) before it sends its body. */
  readonly onExpect = (request: IncomingMessage, response: MeasuredResponse): void => {
    if (!this.#admits(request, response)) return
    response.writeContinue()
    this.#serve(request, response)
  }

  /** A request of HTTP/2: its connection has others beside it, and checks of its own. */
  readonly onStream = (request: IncomingMessage, response: MeasuredResponse): void => {
    if (this.#serverHeader !== undefined) response.setHeader('Server', this.#serverHeader)
    this.#port.counters.messagesIn++
    this.#serve(request, response)
  }

  #admits(request: IncomingMessage, response: MeasuredResponse): boolean {
    const socket = request.socket as HttpSocket
    // What comes behind a request that was refused has no answer.
    if (socket.polyportRefused !== undefined) return false
    response.observer = this
    response.startedAt = performance.now()
    socket.polyportResponse = response
    if (this.#isStopping || this.#port.isBusy) response.shouldKeepAlive = false
    if (this.#serverHeader !== undefined) response.setHeader('Server', this.#serverHeader)
    const { counters, trustedProxies } = this.#port
    counters.messagesIn++
    if (trustedProxies !== undefined) believe(request, trustedProxies)
    return this.guard.admits(request, response)
  }

  #serve(request: IncomingMessage, response: MeasuredResponse): void {
    if (this.webSockets?.isAskedFor(request) === true) return this.guard.refuseRequest(request, response, BAD_REQUEST)
    if (this.#port.protocol === 'websocket') return refusePlain(response)
    if (this.#steps.length === 0) this.#handle(request, response, response.startedAt)
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
    this.count(response)
  }

  /** Once for each response, when it is over. */
  count(response: MeasuredResponse): void {
    const { counters } = this.#port
    counters.messagesOut++
    counters.requestDuration.observeMs(performance.now() - response.startedAt)
    const method = response.req.method ?? 'GET'
    counters.request(METHODS.has(method) ? method : 'OTHER', response.statusCode)
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

  #handle(request: IncomingMessage, response: ServerResponse, start: number): void {
    const port = this.#port
    try {
      const result: unknown = (port.handler as HttpHandler).onRequest(request, response)
      if (isPromise(result)) {
        void this.#settle(result, request, response, start)
        return
      }
    } catch (error) {
      port.failed(error, 'onRequest')
      answerFailure(response)
    }
    port.counters.handler.observeMs(performance.now() - start)
  }

  async #settle(result: PromiseLike<unknown>, request: IncomingMessage, response: ServerResponse, start: number): Promise<void> {
    if (!(await this.#port.settle(unlessGone(result, request), 'onRequest'))) answerFailure(response)
    this.#port.counters.handler.observeMs(performance.now() - start)
  }
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
