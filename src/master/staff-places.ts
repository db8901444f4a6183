import type { Config } from '../config/schema.ts'
import type { Place } from '../ipc/messages.ts'

/** Every process that a config asks for besides the workers. */
export function staffPlaces(config: Config): Place[] {
  return taskPlaces(config)
}

/** The queue first: it starts before, and ends after, those that need it. */
function taskPlaces({ tasks }: Config): Place[] {
  if (tasks === undefined) return []
  return [{ role: 'queue', index: 0 }, ...Array.from({ length: tasks.workers }, (_, index): Place => ({ role: 'task', index }))]
}

/** How long a process that ended by itself is waited for before it is started again, in milliseconds. */
export function restartMs(_config: Config, _place: Place): number {
  return 0
}
