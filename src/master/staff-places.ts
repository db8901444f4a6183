import type { Config } from '../config/schema.ts'
import type { Place } from '../ipc/messages.ts'

/** Every process that a config asks for besides the workers. */
export function staffPlaces(_config: Config): Place[] {
  return []
}

/** How long a process that ended by itself is waited for before it is started again, in milliseconds. */
export function restartMs(_config: Config, _place: Place): number {
  return 0
}
