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

// A task that kills its task worker is set aside after a few times, so one that was killed may come back soon.
const KILLED_DELAY_MS = 200
const LONGEST_DELAY_MS = 30_000

/** How long one that keeps dying is waited for at most before it is started again, in milliseconds. */
export function longestDelayMs({ role }: Place, dead: { readonly isReady: boolean; readonly hasFailed: boolean }): number {
  if (role !== 'task' && role !== 'queue') return LONGEST_DELAY_MS
  if (dead.hasFailed) return LONGEST_DELAY_MS
  return dead.isReady ? KILLED_DELAY_MS : 5 * KILLED_DELAY_MS
}

/** How long a process that ended by itself is waited for before it is started again, in milliseconds. */
export function restartMs(config: Config, { role, name = '' }: Place): number {
  return role === 'process' ? (config.processes[name]?.restartSeconds ?? 0) * 1000 : 0
}
