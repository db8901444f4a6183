import type { IncomingMessage, ServerResponse } from 'node:http'
import { IncomingMessage as Request } from '../net/node-http.ts'
import { AppHandler, hasMethods, type Listener, type Next } from './app-handler.ts'

/** An Express or Connect app: a listener that has routes. */
export function isExpress(value: unknown): value is Listener {
  return typeof value === 'function' && hasMethods(value, 'use', 'handle')
}

/** An app that puts an object of its own under each request, as Express does: one of HTTP/2 has then lost what it can, and breaks the process. */
export function isOfHttp1(app: unknown): boolean {
  return (app as { request?: unknown } | undefined)?.request instanceof Request
}

/** A function of a request and its response: of a user, or an Express app. */
export class ListenerApp extends AppHandler {
  readonly title: string
  readonly #listener: Listener

  override readonly speaksHttp2: boolean

  constructor(title: string, listener: Listener) {
    super()
    this.speaksHttp2 = !isOfHttp1(listener)
    this.title = title
    this.#listener = listener
  }

  override onRequest(request: IncomingMessage, response: ServerResponse, next?: Next): void | Promise<void> {
    // A promise is waited for, whatever it is of.
    return this.#listener(request, response, next) as void | Promise<void>
  }

  override serves(listener: unknown): boolean {
    return listener === this.#listener
  }
}
