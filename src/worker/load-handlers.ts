import { pathToFileURL } from 'node:url'
import type { Config } from '../config/schema.ts'
import type { Handler } from '../contracts/handlers.ts'
import type { Problem } from '../errors.ts'
import type { LoadedPort } from './loaded-port.ts'

export async function loadHandlers(config: Config): Promise<{ loaded: LoadedPort[]; problems: Problem[] }> {
  const loaded: LoadedPort[] = []
  const problems: Problem[] = []
  const make = async (file: string): Promise<any> => new (await import(pathToFileURL(file).href)).default()
  for (const port of config.ports) {
    try {
      loaded.push({ config: port, handler: (await make(port.handler)) as Handler, ...(port.websocket && { webSocketHandler: await make(port.websocket.handler) }), ...(port.framing?.type === 'custom' && { framing: await make(port.framing.module) }) })
    } catch (error) {
      problems.push({ file: port.handler, path: port.name, message: String((error as Error).stack) })
    }
  }
  return { loaded, problems }
}
