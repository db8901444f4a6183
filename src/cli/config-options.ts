import { existsSync } from 'node:fs'
import type { Config } from '../config/schema.ts'
import { ConfigError } from '../errors.ts'

/** The options that every verb with a config has. */
export interface ConfigOptions {
  readonly config: string
  readonly env: string | undefined
}

/** What `-c` is when it is not given. */
export const DEFAULT_CONFIG = './config.json'

/**
 * Loads the config that `-c` and `-e` name.
 * @throws ConfigError
 */
export async function loadNamedConfig(options: ConfigOptions): Promise<Config> {
  if (!existsSync(options.config)) {
    const advice =
      options.config === DEFAULT_CONFIG ? 'write one with "polyport init", or name yours with -c' : '-c names the config file, and "polyport init" writes one'
    throw new ConfigError([{ file: options.config, path: '', message: `there is no such file: ${advice}` }])
  }
  const { loadConfig } = await import('../config/load-config.ts')
  return loadConfig(options.config, options.env === undefined ? {} : { env: options.env })
}
