import { existsSync } from 'node:fs'
import { located } from '../config/located.ts'
import type { Config } from '../config/schema.ts'
import { ConfigError } from '../errors.ts'
import { type ConfigOptions, loadNamedConfig } from './config-options.ts'
import { EXIT, report, say } from './exit-code.ts'

/** `polyport check`: the config and its handlers, no port. */
export async function check(options: ConfigOptions): Promise<number> {
  // Should a handler module wait for ever at its top, Node ends with this code.
  process.exitCode = EXIT.failed
  const tooEarly = (): void => {
    process.exitCode = say('A module that was being loaded has ended this process, by process.exit() say: a daemon would die of it', EXIT.usage)
  }
  process.once('exit', tooEarly)
  const code = await findProblems(options).catch(report)
  process.off('exit', tooEarly)
  // A module may have left a timer or a socket open, which would keep the process.
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))))
  process.exit(code)
}

async function findProblems(options: ConfigOptions): Promise<number> {
  const config = await loadNamedConfig(options).catch(async (error: unknown) => {
    throw error instanceof ConfigError ? await withHandlers(error, options) : error
  })
  const { checkModules } = await import('../worker/check-modules.ts')
  const problems = await checkModules(config)
  if (problems.length > 0) throw new ConfigError(located(problems, config.file))
  process.stdout.write(`${config.file} is good: ${summary(config)}\n`)
  return EXIT.done
}

/** The mistakes of the config, and those in the handlers of its good ports. */
async function withHandlers(error: ConfigError, { config: file, env }: ConfigOptions): Promise<ConfigError> {
  if (!existsSync(file)) return error
  const { loadablePorts } = await import('../config/load-config.ts')
  const config = loadablePorts(file, env === undefined ? {} : { env })
  if (config === undefined) return error
  const { loadHandlers } = await import('../worker/load-handlers.ts')
  const { problems } = await loadHandlers(config)
  return problems.length === 0 ? error : new ConfigError([...error.problems, ...problems])
}

function summary(config: Config): string {
  const tables = Object.keys(config.tables).length
  return [plural(config.ports.length, 'port'), plural(config.workers, 'worker'), plural(tables, 'table')].join(', ')
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}
