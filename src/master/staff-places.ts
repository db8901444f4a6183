import type { Config } from '../config/schema.ts'
import type { Place } from '../ipc/messages.ts'

/** Every process that a config asks for besides the workers. */
export function staffPlaces(config: Config): Place[] {
  return [...taskPlaces(config), ...timerPlaces(config), ...processPlaces(config)]
}

function timerPlaces({ timers }: Config): Place[] {
  return timers?.enabled === true ? [{ role: 'timer', index: 0 }] : []
}

function processPlaces({ processes }: Config): Place[] {
  const enabled = Object.entries(processes).filter(([, process]) => process.enabled)
  return enabled.flatMap(([name, { count }]) => Array.from({ length: count }, (_, index): Place => ({ role: 'process', index, name })))
}

/** The queue first: it starts before, and ends after, those that need it. */
function taskPlaces({ tasks }: Config): Place[] {
  if (tasks === undefined) return []
  return [{ role: 'queue', index: 0 }, ...Array.from({ length: tasks.workers }, (_, index): Place => ({ role: 'task', index }))]
}

/** How long a process that ended by itself is waited for before it is started again, in milliseconds. */
export function restartMs(config: Config, { role, name = '' }: Place): number {
  return role === 'process' ? (config.processes[name]?.restartSeconds ?? 0) * 1000 : 0
}
