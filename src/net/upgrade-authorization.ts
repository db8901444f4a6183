import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Writable } from 'node:stream'
import { isPromise } from './is-promise.ts'
import { ServerResponse as Response, STATUS_CODES } from './node-http.ts'
import type { Port } from './port.ts'
import { FLUSH_MS } from './socket-end.ts'

/** A handler that may leave a request to what comes next: an Express app, say. */
type Listener = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => unknown

// What a redirect answers is no leave: it sends who is not logged in elsewhere.
const FIRST_REFUSAL = 300

/**
 * Asks the handler of an http port whether a client may upgrade. It gets the request as any other GET, so its own middleware
 * decides, and what that puts on the request object is there in `onUpgrade` and `onOpen`.
 */
export class UpgradeAuthorization {
  readonly #port: Port
  /** Those whose refusal is on its way. */
  readonly #answered = new WeakSet<Socket>()

  constructor(port: Port) {
    this.#port = port
  }

  /** Whether a client has got a part of its answer: nothing else can be said to it. */
  hasBegunToAnswer(socket: Socket): boolean {
    return this.#answered.has(socket)
  }

  /** It is waited for who reads slowly, and for an app that takes its time, as long as for anybody who is to get the rest of something. */
  #begin(socket: Socket): void {
    this.#answered.add(socket)
    const timer = setTimeout(() => socket.destroy(), FLUSH_MS)
    socket.once('close', () => clearTimeout(timer))
  }

  /**
   * @returns the cookies to be set, when the answer is a success, or the handler leaves the request to what comes next; undefined when
   * it is anything else: that is sent to the client then, and the connection closed
   */
  ask(request: IncomingMessage, socket: Socket): Promise<readonly string[] | undefined> {
    const response = new Response(request)
    response.shouldKeepAlive = false
    // As light-my-request does: what is written ends there.
    response.assignSocket(new AnswerSink(response, socket, () => this.#begin(socket)) as unknown as Socket)
    return new Promise((resolve) => {
      const onClose = (): void => void response.destroy()
      socket.once('close', onClose)
      response.once('finish', () => {
        if (response.statusCode < FIRST_REFUSAL) resolve(cookiesOf(response))
        else endWith(socket)
      })
      response.once('close', () => {
        socket.off('close', onClose)
        // It was broken off, if it has not come to its end.
        if (!response.writableFinished) socket.destroy()
        resolve(undefined)
      })
      response.once('finish', () => response.socket?.destroy())
      this.#run(request, response)
    })
  }

  #run(request: IncomingMessage, response: ServerResponse): void {
    const { handler } = this.#port
    const next = (error?: unknown): void => {
      if (response.headersSent) return
      if (error !== undefined && error !== null) return this.#fail(response, error)
      try {
        // For what waits for the end of the response, as one that saves a session, or logs.
        response.statusCode = 101
        response.end()
      } catch (failure) {
        this.#fail(response, failure)
      }
    }
    try {
      const result = (handler as unknown as { onRequest: Listener }).onRequest(request, response, next)
      if (isPromise(result)) void this.#port.settle(result, 'onRequest').then((isDone) => isDone || answer(response, 500))
    } catch (error) {
      this.#fail(response, error)
    }
  }

  /** As Express has it: an error may say which status it stands for. */
  #fail(response: ServerResponse, error: unknown): void {
    const { status, statusCode = status } = (typeof error === 'object' && error !== null ? error : {}) as { status?: unknown; statusCode?: unknown }
    if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) return answer(response, statusCode)
    this.#port.failed(error, 'onRequest')
    answer(response, 500)
  }
}

/** Where an answer goes: to the client when it refuses, nowhere otherwise. */
class AnswerSink extends Writable {
  readonly #response: ServerResponse
  readonly #client: Socket
  readonly #onBegin: () => void
  #hasBegun = false

  constructor(response: ServerResponse, client: Socket, onBegin: () => void) {
    super()
    this.#onBegin = onBegin
    this.#response = response
    this.#client = client
    // A response that is destroyed with an error ends here.
    this.on('error', () => {})
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    // Before the head there may be 100 Continue or 103 Early Hints.
    if (!this.#response.headersSent || this.#response.statusCode < FIRST_REFUSAL || !this.#client.writable) return done()
    if (!this.#hasBegun) this.#onBegin()
    this.#hasBegun = true
    this.#client.write(chunk, () => done())
  }

  // What else responses and middleware ask of a socket.
  get remoteAddress(): string | undefined {
    return this.#client.remoteAddress
  }

  get encrypted(): boolean {
    return 'encrypted' in this.#client
  }

  setTimeout(): this {
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }
}

function cookiesOf(response: ServerResponse): readonly string[] {
  const cookies = response.getHeader('Set-Cookie')
  return cookies === undefined ? [] : Array.isArray(cookies) ? cookies : [String(cookies)]
}

function answer(response: ServerResponse, status: number): void {
  if (response.headersSent) return void response.destroy()
  for (const name of response.getHeaderNames()) response.removeHeader(name)
  response.statusCode = status
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  try {
    response.end(STATUS_CODES[status])
  } catch {
    // Middleware has put itself around end(), and fails: the client sees the connection break off.
    response.destroy()
  }
}

function endWith(socket: Socket): void {
  socket.once('finish', () => socket.destroy())
  socket.end()
}
