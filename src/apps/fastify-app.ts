import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppHandler, hasMethods } from './app-handler.ts'

interface Fastify {
  readonly server: unknown
  readonly routing: (request: IncomingMessage, response: ServerResponse) => void
  ready(): Promise<unknown>
  close(): Promise<unknown>
}

export function isFastify(value: unknown): value is Fastify {
  return hasMethods(value, 'routing', 'ready', 'close', 'inject')
}

/** A Fastify instance. Its plugins are loaded before the port opens, and its `onClose` hooks run when the worker stops. */
export class FastifyApp extends AppHandler {
  readonly title = 'a Fastify instance'
  override readonly servers: readonly unknown[]
  readonly #app: Fastify

  constructor(app: Fastify) {
    super()
    this.#app = app
    this.servers = [app.server]
  }

  override async onStart(): Promise<void> {
    await this.#app.ready()
  }

  override onRequest(request: IncomingMessage, response: ServerResponse): void {
    this.#app.routing(request, response)
  }

  override async onStop(): Promise<void> {
    await this.#app.close()
  }
}
