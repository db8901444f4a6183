import type { Config } from '../config/schema.ts'
import { createLog, outliveReaders, reopenLog } from '../log/log.ts'
import { warnOfExpiry } from './certificates.ts'
import { Master } from './master.ts'
import { startupTable } from './startup-table.ts'
import { onStopSignals } from './stop-signals.ts'

export interface RunOptions {
  readonly appVersion?: string | undefined
  /** Reads the config anew, for a reload. @throws ConfigError */
  readonly readConfig: () => Promise<Config>
}

/**
 * Runs a daemon until it ends.
 * @returns the exit code
 * @throws ConfigError, BindError, AlreadyRunningError when it cannot start; nothing is left open then
 */
export async function runDaemon(config: Config, options: RunOptions): Promise<number> {
  process.title = `polyport: master ${config.name}`
  const appVersion = options.appVersion ?? process.env['POLYPORT_APP_VERSION'] ?? ''
  // Workers inherit it, for handlers to read.
  process.env['POLYPORT_APP_VERSION'] = appVersion
  outliveReaders()
  const log = createLog({ ...config.log, name: config.name, role: 'master' })
  const readConfig = async (): Promise<Config> => {
    const next = await options.readConfig()
    warnOfExpiry(next, log)
    return next
  }
  const master = new Master({ config, log, appVersion, readConfig })
  const ended = master.ended()
  onStopSignals(
    () => void master.stop(),
    () => void master.abort(),
  )
  const onReload = (): void => {
    // The log may have been moved away.
    reopenLog()
    // A reload that fails is logged and counted there.
    master.reload().catch(() => {})
  }
  for (const signal of ['SIGHUP', 'SIGUSR1'] as const) process.on(signal, onReload)
  process.on('SIGUSR2', () => {
    master.reloadTasks().catch((error: unknown) => log.error({ err: error }, 'Cannot replace the task workers: the old ones go on'))
  })
  warnOfExpiry(config, log)
  if (!(await master.start())) return ended
  if (config.log.format !== 'json') announce(startupTable(config, master.addresses, master.adminAddress))
  log.info({ ports: config.ports.length, workers: config.workers }, 'Ready')
  return ended
}

/** For people: on stdout where they look at it, beside the JSON lines where a program does. */
function announce(table: string): void {
  const out = process.stdout.isTTY ? process.stdout : process.stderr
  out.write(`${table}\n`)
}
