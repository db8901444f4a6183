import { Server } from 'node:net'
import type { AppHandler, Listener } from './app-handler.ts'
import { FastifyApp, isFastify } from './fastify-app.ts'
import { FetchApp, isFetchTarget } from './fetch-app.ts'
import { isKoa, KoaApp } from './koa-app.ts'
import { isExpress, ListenerApp } from './listener-app.ts'
import { isNest, NestApp } from './nest-app.ts'

/** The app that a value is, as a handler; undefined when it is none. Functions are told from each other by `isListener`. */
export function recognise(value: unknown): AppHandler | undefined {
  // Nest first: it answers to the names of the framework below it, too.
  if (isNest(value)) return new NestApp(value)
  if (isFastify(value)) return new FastifyApp(value)
  if (isKoa(value)) return new KoaApp(value)
  if (isExpress(value)) return new ListenerApp('an Express app', value)
  if (isFetchTarget(value)) return new FetchApp(value)
  return undefined
}

/** A function of a request and its response. One with fewer parameters makes an app. */
export function isListener(value: unknown): value is Listener {
  return typeof value === 'function' && value.length >= 2
}

/** What is often exported in place of an app, and what to write; undefined for anything else. */
export function almostAnApp(value: unknown): string | undefined {
  if (value instanceof Server) return 'a server, expected the app that it was made of: Polyport has a server of its own'
  return undefined
}
