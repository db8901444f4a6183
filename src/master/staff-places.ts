import type { Config } from '../config/schema.ts'
import type { Place } from '../ipc/messages.ts'

/** Every process that a config asks for besides the workers. */
export function staffPlaces({ timers, processes }: Config): Place[] {
  const custom = Object.entries(processes).filter(([, { enabled }]) => enabled)
  return [
    ...(timers?.enabled === true ? [{ role: 'timer', index: 0 } as const] : []),
    ...custom.flatMap(([name, { count }]) => Array.from({ length: count }, (_, index) => ({ role: 'process', index, name }) as const)),
  ]
}

/** How long a process that ended by itself is waited for before it is started again, in milliseconds. */
export function restartMs(config: Config, { role, name = '' }: Place): number {
  return role === 'process' ? (config.processes[name]?.restartSeconds ?? 0) * 1000 : 0
}
