import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Server } from 'node:net'
import type { Logger } from '../contracts/logger.ts'
import { AppHandler } from './app-handler.ts'

// Published by net.Server#listen before it binds (Node's documentation of diagnostics_channel).
const CHANNEL = 'tracing:net.server.listen:asyncStart'

// Fastify's listen() fails with an exception that nobody can catch when its server is closed before it has looked up more addresses.
const SHUT_MS = 500

interface Listening {
  readonly server: Server
  readonly options?: { readonly port?: unknown; readonly path?: unknown }
}

/**
 * Loads a module, and finds out whether it opens an HTTP server meanwhile.
 * @returns where the first such server listens
 */
export async function watchListening<T>(load: () => Promise<T>): Promise<{ readonly value: T; readonly listensOn: string | undefined }> {
  let listensOn: string | undefined
  // Only what the module itself does: in a process of the user's (createDaemon) others may listen at the same time.
  const isLoading = new AsyncLocalStorage<boolean>()
  const onListen = (message: unknown): void => {
    const { server, options } = message as Listening
    if (isLoading.getStore() !== true || server.listenerCount('request') === 0) return
    listensOn ??= placeOf(options)
    // It is not to keep this process alive, nor to end it when the address is taken.
    server.unref().on('error', () => {})
  }
  subscribe(CHANNEL, onListen)
  try {
    return { value: await isLoading.run(true, load), listensOn }
  } finally {
    unsubscribe(CHANNEL, onListen)
    isLoading.disable()
  }
}

/** Keeps those handlers that are apps from listening by themselves. What does is logged. @returns ends it */
export function forbidListening(handlers: readonly object[], log: Logger): () => void {
  const apps = handlers.filter((handler) => handler instanceof AppHandler)
  if (apps.length === 0) return () => {}
  const onListen = (message: unknown): void => {
    const { server, options } = message as Listening
    const app = apps.find((one) => one.servers.includes(server) || server.listeners('request').some((listener) => one.serves(listener)))
    if (app === undefined) return
    server.on('error', () => {})
    server.once('listening', () => setTimeout(() => server.close(), SHUT_MS).unref())
    log.error({ handler: app.title }, `An app calls listen() on ${placeOf(options)}, and is not let: ${LISTEN_REMEDY}`)
  }
  subscribe(CHANNEL, onListen)
  return () => unsubscribe(CHANNEL, onListen)
}

export const LISTEN_REMEDY = 'its port is the one of the config, so export the app, and call listen() only when the file is run by itself (import.meta.main)'

function placeOf(options: Listening['options']): string {
  if (options?.path !== undefined) return String(options.path)
  return `port ${String(options?.port ?? 0)}`
}
