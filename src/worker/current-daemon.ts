import type { Daemon } from '../contracts/daemon.ts'
import { NotInDaemonError } from '../errors.ts'

// On globalThis, so that an app with a copy of this package of its own finds the same daemon.
const KEY = Symbol.for('polyport.daemon')
const holder = globalThis as { [KEY]?: Daemon | undefined }

/**
 * The daemon that this process belongs to, for code that is no handler: a route of an Express app, say.
 * @throws NotInDaemonError outside a daemon
 */
export function daemon(): Daemon {
  const current = holder[KEY]
  if (current === undefined) throw new NotInDaemonError()
  return current
}

export function setCurrentDaemon(current: Daemon | undefined): void {
  holder[KEY] = current
}
