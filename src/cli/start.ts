import type { Config } from '../config/schema.ts'
import { ConfigError } from '../errors.ts'
import { type ConfigOptions, loadNamedConfig } from './config-options.ts'

export interface StartOptions extends ConfigOptions {
  readonly appVersion: string | undefined
  readonly daemon: boolean
  readonly watch: boolean
}

/** `polyport start`: runs the daemon until it is stopped; with `-d` in the background, and returns when it is ready. */
export async function start(options: StartOptions): Promise<number> {
  const config = await read(options).catch(async (error: unknown) => {
    if (!(error instanceof ConfigError)) throw error
    // It finds the same, and the mistakes in handlers with them.
    process.exit(await (await import('./check.ts')).check(options))
  })
  if (options.daemon) {
    const { startInBackground } = await import('./start-background.ts')
    return startInBackground(config, argsOf(options, config))
  }
  const { runDaemon } = await import('../master/run-daemon.ts')
  return runDaemon(config, { appVersion: options.appVersion, readConfig: () => read(options) })
}

async function read(options: StartOptions): Promise<Config> {
  const config = await loadNamedConfig(options)
  return options.watch ? { ...config, watch: { ...config.watch, enabled: true } } : config
}

function argsOf({ env, appVersion, watch }: StartOptions, config: Config): string[] {
  return ['-c', config.file, ...(env === undefined ? [] : ['-e', env]), ...(appVersion === undefined ? [] : ['-x', appVersion]), ...(watch ? ['--watch'] : [])]
}
