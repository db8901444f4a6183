import { type ConfigOptions, loadNamedConfig } from './config-options.ts'

/** `polyport start`: runs the daemon in the foreground until it is stopped. */
export async function start(options: ConfigOptions & { readonly appVersion: string | undefined }): Promise<number> {
  const config = await loadNamedConfig(options)
  const { runDaemon } = await import('../master/run-daemon.ts')
  return runDaemon(config, { appVersion: options.appVersion, readConfig: () => loadNamedConfig(options) })
}
