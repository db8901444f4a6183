import type { Place } from './messages.ts'

/** A place as people read it in process titles, logs and status: `worker 0`, `task 1`, `timer`, `process collector 0`. */
export function placeText({ role, index, name }: Place): string {
  if (role === 'timer' || role === 'queue') return role
  return name === undefined ? `${role} ${index}` : `${role} ${name} ${index}`
}
