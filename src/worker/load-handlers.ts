import type { Config } from '../config/schema.ts'
import type { Problem } from '../errors.ts'
import { importModule } from '../modules/import-module.ts'
import type { Outcome } from '../modules/mistake.ts'
import { makeFraming, makeHandler } from './handler-class.ts'
import type { LoadedPort } from './loaded-port.ts'

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
    const handler = take('handler', port.handler, await load(port.handler, config.dir, (exports) => makeHandler(exports, port.protocol)))
    const webSocketHandler =
      websocket && take('websocket.handler', websocket.handler, await load(websocket.handler, config.dir, (exports) => makeHandler(exports, 'websocket')))
    const custom = framing?.type === 'custom' ? take('framing.module', framing.module, await load(framing.module, config.dir, makeFraming)) : undefined
    problems.push(...found)
    if (handler === undefined || found.length > 0) continue
    loaded.push({ config: port, handler, ...(webSocketHandler && { webSocketHandler }), ...(custom && { framing: custom }) })
  }
  return { loaded, problems }
}

async function load<T>(name: string, dir: string, make: (exports: Readonly<Record<string, unknown>>) => Outcome<T>): Promise<Outcome<T>> {
  const module = await importModule(name, dir)
  return 'mistakes' in module ? module : make(module.value)
}
