import type { IncomingMessage, ServerResponse } from 'node:http'
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
  }

  #fetch(request: Request, environment: Environment): Response | Promise<Response> {
    const failed = (error: unknown): never => {
      this.#failures.set(environment.outgoing, { error })
      throw error
    }
    try {
      const result = this.#app.fetch(request, environment)
      return result instanceof Promise ? result.catch(failed) : result
    } catch (error) {
      return failed(error)
    }
  }
}
