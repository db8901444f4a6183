import type { IncomingMessage, ServerResponse } from 'node:http'
import { HttpHandler } from '../contracts/handlers.ts'

/** What Express and Connect call the rest of the chain: here, what comes when the app has not answered. */
export type Next = (error?: unknown) => void

/** A listener for requests as Node has it, perhaps one of a chain. */
export type Listener = (request: IncomingMessage, response: ServerResponse, next?: Next) => unknown

/** An existing app as the handler of an http port: the app does the routing, and answers. */
export abstract class AppHandler extends HttpHandler {
  /** How messages call the app. */
  abstract readonly title: string
  /** Servers of the app's own, which must not listen. */
  readonly servers: readonly unknown[] = []
  /** Whether it can answer a request of HTTP/2. */
  readonly speaksHttp2: boolean = true

  /** @param next called when the app has no answer. Without it the app answers 404 by itself */
  abstract override onRequest(request: IncomingMessage, response: ServerResponse, next?: Next): void | Promise<void>

  /** Whether a server that listens would serve this app. */
  serves(_listener: unknown): boolean {
    return false
  }
}

/** Whether a value has methods of these names. By `in`, as some routers answer to every name that they are asked for. */
export function hasMethods<Name extends string>(value: unknown, ...names: readonly Name[]): value is Record<Name, (...args: unknown[]) => unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return names.every((name) => name in value && typeof (value as Record<string, unknown>)[name] === 'function')
}
