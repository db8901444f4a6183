import { AppHandler } from '../apps/app-handler.ts'
import { LISTEN_REMEDY, watchListening } from '../apps/listen-watch.ts'
import type { Config, Protocol } from '../config/schema.ts'
import type { Handler } from '../contracts/handlers.ts'
import type { Problem } from '../errors.ts'
import type { RequestHooks } from '../http/hooks.ts'
import { importModule } from '../modules/import-module.ts'
import { inTime } from '../modules/in-time.ts'
import { failed, type Outcome } from '../modules/mistake.ts'
import { makeFraming, makeHandler } from './handler-class.ts'
import type { LoadedPort } from './loaded-port.ts'
import { takeHooks } from './request-hooks.ts'

type Exports = Readonly<Record<string, unknown>>
type Make<T> = (exports: Exports) => Outcome<T> | Promise<Outcome<T>>

/**
 * Imports, checks and constructs what the ports of a config name: handlers, and custom framing. One after the other, in the order of
 * the ports. Nothing is started.
 * @returns the ports whose code is whole, and every mistake in that of the others
 */
export async function loadHandlers(config: Config): Promise<{ loaded: LoadedPort[]; problems: Problem[] }> {
  const loaded: LoadedPort[] = []
  const problems: Problem[] = []
  for (const [index, port] of config.ports.entries()) {
    const found: Problem[] = []
    const place = `ports[${config.portIndexes?.[index] ?? index}]`
    const take = <T>(key: string, name: string, outcome: Outcome<T>): T | undefined => {
      if ('value' in outcome) return outcome.value
      for (const { message, ...where } of outcome.mistakes)
        found.push({ file: name, ...where, path: `${place}.${key}`, message: `port "${port.name}": ${message}` })
      return undefined
    }
    const { websocket, framing } = port
    const handler = take('handler', port.handler, await loadHandler(port.handler, config, port))
    const webSocketHandler =
      websocket && take('websocket.handler', websocket.handler, await loadHandler(websocket.handler, config, { ...websocket, protocol: 'websocket' }))
    const custom = framing?.type === 'custom' ? take('framing.module', framing.module, await load(framing.module, config, makeFraming)) : undefined
    const hooks: (RequestHooks | undefined)[] = []
    for (const [i, name] of (port.hooks ?? []).entries()) hooks.push(take(`hooks[${i}]`, name, await load(name, config, takeHooks)))
    problems.push(...found)
    if (handler === undefined || found.length > 0) continue
    loaded.push({
      config: port,
      handler,
      ...(webSocketHandler && { webSocketHandler }),
      ...(custom && { framing: custom }),
      ...(port.hooks && { hooks: hooks.filter((one) => one !== undefined) }),
    })
  }
  return { loaded, problems }
}

async function loadHandler(name: string, config: Config, port: { protocol: Protocol; options: unknown; http2?: boolean }): Promise<Outcome<Handler>> {
  const { value: outcome, listensOn } = await watchListening(() => load(name, config, (exports) => makeHandler(exports, port)))
  if (port.http2 && 'value' in outcome && outcome.value instanceof AppHandler && !outcome.value.speaksHttp2) {
    return failed({ message: `${outcome.value.title} knows HTTP/1.1 only, expected the port without "http2"` })
  }
  // A handler class may have a server beside its port; an app that listens opens its own port once more.
  if (listensOn === undefined || ('value' in outcome && !(outcome.value instanceof AppHandler))) return outcome
  return failed({ message: `the module calls listen() on ${listensOn}: ${LISTEN_REMEDY}` }, ...('mistakes' in outcome ? outcome.mistakes : []))
}

// A worker has to tell the master before that one gives up on it.
const MARGIN_SECONDS = 1

async function load<T>(name: string, config: Config, make: Make<T>): Promise<Outcome<T>> {
  const seconds = config.startSeconds - Math.min(MARGIN_SECONDS, config.startSeconds / 4)
  const late = failed({
    message: `nothing has come of it within ${seconds} s: an import or a promise of this module does not end; make it faster, or raise startSeconds`,
  })
  return (await inTime(seconds * 1000, importAndMake(name, config.dir, make))) ?? late
}

async function importAndMake<T>(name: string, dir: string, make: Make<T>): Promise<Outcome<T>> {
  const module = await importModule(name, dir)
  return 'mistakes' in module ? module : make(withDefault(module.value))
}

/** A module that a compiler has made into CommonJS has its default export in the default export. */
function withDefault(exports: Exports): Exports {
  const inner = exports['default']
  const isCompiled = typeof inner === 'object' && inner !== null && '__esModule' in inner && 'default' in inner
  return isCompiled ? (inner as Exports) : exports
}
