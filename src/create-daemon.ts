import type { ConfigInput } from './config/schema.ts'
import type { Daemon } from './contracts/daemon.ts'

/**
 * Runs a daemon of one worker inside the calling process: for tests, and for embedding. The same code as `polyport start`, without
 * a fork. `daemon.ports` has the addresses (`"port": 0` lets the system choose), `daemon.stop()` ends it. What needs processes of its own
 * has no effect, and a warning in the log says so: `workers`, `user`, `group`, `maxRequests`, `maxMemory`, `watch`.
 * @param config the config as an object (paths relative to the current folder) or the path or file: URL of a config file
 * @throws ConfigError, BindError
 * @example
 * const daemon = await createDaemon({ ports: [{ protocol: 'tcp', port: 0, handler: './echo.ts' }] })
 */
export async function createDaemon(config: ConfigInput | string | URL): Promise<Daemon> {
  // Loaded here: every handler imports this package, and few of them embed a daemon.
  const { EmbeddedDaemon } = await import('./master/embedded-daemon.ts')
  return EmbeddedDaemon.start(config)
}
