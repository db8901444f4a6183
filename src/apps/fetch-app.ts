import type { IncomingMessage, ServerResponse } from 'node:http'
import { valueText } from '../value-text.ts'
import { AppHandler, hasMethods } from './app-handler.ts'

interface FetchTarget {
  fetch(request: Request, environment: Environment): Response | Promise<Response>
}

interface Environment {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

export function isFetchTarget(value: unknown): value is FetchTarget {
  return hasMethods(value, 'fetch')
}

/** An object with `fetch(Request)`: Hono, h3, Elysia and others. */
export class FetchApp extends AppHandler {
  readonly title = 'an object with fetch()'
  readonly #app: FetchTarget
  readonly #failures = new WeakMap<object, { readonly error: unknown }>()
  #listener: ((request: IncomingMessage, response: ServerResponse) => Promise<void>) | undefined

  constructor(app: FetchTarget) {
    super()
    this.#app = app
  }

  override async onStart(): Promise<void> {
    // Loaded here: it costs a worker megabytes that only these apps need.
    const { getRequestListener, RequestError } = await import('@hono/node-server')
    this.#listener = getRequestListener((request, environment) => this.#fetch(request, environment as unknown as Environment), {
      // Faster by a seventh with them replaced, but Request and Response are everybody's in this process.
      overrideGlobalObjects: false,
      // Nothing is answered here for what the app throws: onRequest fails, as that of any handler.
      errorHandler: (error) => (error instanceof RequestError ? new Response(null, { status: 400 }) : (undefined as never)),
    }) as unknown as (request: IncomingMessage, response: ServerResponse) => Promise<void>
  }

  override async onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await this.#listener?.(request, response)
    const failure = this.#failures.get(response)
    if (failure !== undefined) throw failure.error
    // A body that breaks off has ended the response already: only the log and the count are missing.
    if (response.errored !== null && response.errored !== undefined && !request.errored) throw response.errored
  }

  #fetch(request: Request, environment: Environment): Response | Promise<Response> {
    const failed = (error: unknown): never => {
      this.#failures.set(environment.outgoing, { error })
      throw error
    }
    const answer = (given: unknown): Response => {
      const response = responseOf(given)
      if (hasMethods(response.body, 'getReader')) hideFailures(response.body, (error) => this.#failures.set(environment.outgoing, { error }))
      return response
    }
    try {
      const result: unknown = this.#app.fetch(request, environment)
      return hasMethods(result, 'then') ? Promise.resolve(result).then(answer).catch(failed) : answer(result)
    } catch (error) {
      return failed(error)
    }
  }
}

/** By what it has: a framework may have a class of its own for it. @throws TypeError: a `return` is missing, say */
function responseOf(given: unknown): Response {
  if (typeof given === 'object' && given !== null && 'status' in given && 'headers' in given) return given as Response
  throw new TypeError(`fetch() gave ${valueText(given)}, expected a Response`)
}

/** What a body says that breaks off is nothing for the client: `@hono/node-server` answers with it when nothing of the body has come before. */
function hideFailures(body: ReadableStream<Uint8Array>, failed: (error: unknown) => void): void {
  const getReader = body.getReader.bind(body) as () => ReadableStreamDefaultReader<Uint8Array>
  const hide = (error: unknown): never => {
    failed(error)
    throw new Error('the answer broke off')
  }
  const guarded = (): ReadableStreamDefaultReader<Uint8Array> => {
    const reader = getReader()
    const read = reader.read.bind(reader)
    reader.read = () => read().catch(hide)
    return reader
  }
  Object.defineProperty(body, 'getReader', { value: guarded, configurable: true })
}
