import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppHandler, hasMethods, type Listener } from './app-handler.ts'
import { isFastify } from './fastify-app.ts'
import { isOfHttp1 } from './listener-app.ts'

interface Nest {
  init(): Promise<unknown>
  close(): Promise<unknown>
  getHttpServer(): unknown
  getHttpAdapter(): { getInstance(): unknown }
}

export function isNest(value: unknown): value is Nest {
  return hasMethods(value, 'getHttpAdapter', 'getHttpServer', 'init', 'close')
}

/** A Nest app that does not listen, on Express or Fastify. Its modules are initialised before the port opens, and destroyed when the worker stops. */
export class NestApp extends AppHandler {
  readonly title = 'a Nest app'
  override readonly servers: readonly unknown[]
  override readonly speaksHttp2: boolean
  readonly #app: Nest
  #listener: Listener | undefined

  constructor(app: Nest) {
    super()
    this.#app = app
    this.servers = [app.getHttpServer()]
    this.speaksHttp2 = !isOfHttp1(app.getHttpAdapter().getInstance())
  }

  override async onStart(): Promise<void> {
    await this.#app.init()
    const instance = this.#app.getHttpAdapter().getInstance()
    if (isFastify(instance)) {
      await instance.ready()
      this.#listener = instance.routing
    } else if (typeof instance === 'function') this.#listener = instance as Listener
    else throw new TypeError('Cannot serve this Nest app as its HTTP adapter is neither of Express nor of Fastify')
  }

  override onRequest(request: IncomingMessage, response: ServerResponse): void | Promise<void> {
    return this.#listener?.(request, response) as void | Promise<void>
  }

  override async onStop(): Promise<void> {
    await this.#app.close()
  }
}
