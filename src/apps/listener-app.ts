import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppHandler, hasMethods, type Listener, type Next } from './app-handler.ts'

/** An Express or Connect app: a listener that has routes. */
export function isExpress(value: unknown): value is Listener {
  return typeof value === 'function' && hasMethods(value, 'use', 'handle')
}

/** A function of a request and its response: of a user, or an Express app. */
export class ListenerApp extends AppHandler {
  readonly title: string
  readonly #listener: Listener

  constructor(title: string, listener: Listener) {
    super()
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
