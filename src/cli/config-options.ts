import { existsSync } from 'node:fs'
import { join } from 'node:path'
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
 * Where the daemon is that runs with the config that `-c` and `-e` name. What has become wrong with the config since keeps nobody from it.
 * @throws ConfigError when the config does not say where
 */
export async function findRunning(options: ConfigOptions): Promise<{ readonly runtimeDir: string; readonly config: Config | undefined }> {
  try {
    const config = await loadNamedConfig(options)
    return { runtimeDir: config.runtimeDir, config }
  } catch (error) {
    if (!(error instanceof ConfigError) || !existsSync(options.config)) throw error
    const { runtimeDirOf } = await import('../config/load-config.ts')
    const runtimeDir = runtimeDirOf(options.config, options.env === undefined ? {} : { env: options.env })
    // Where none runs, what is wrong with the config may be why it is not found.
    if (runtimeDir === undefined || !existsSync(join(runtimeDir, 'polyport.sock'))) throw error
    return { runtimeDir, config: undefined }
  }
}

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
