import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppHandler, hasMethods } from './app-handler.ts'

interface Koa {
  callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>
}

export function isKoa(value: unknown): value is Koa {
  return hasMethods(value, 'callback', 'use', 'createContext')
}

/** A Koa app. */
export class KoaApp extends AppHandler {
  readonly title = 'a Koa app'
  readonly #app: Koa
  #listener: ReturnType<Koa['callback']> | undefined

  constructor(app: Koa) {
    super()
    this.#app = app
  }

  override onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#listener ??= this.#app.callback()
    return this.#listener(request, response)
  }
}
