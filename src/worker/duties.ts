import type { Duty, DutyParts } from '../ipc/duty.ts'
import type { Role } from '../ipc/messages.ts'

/** What each kind of process that is no worker does. Loaded only in a process of that kind. */
export const DUTIES: Readonly<Partial<Record<Role, (parts: DutyParts) => Promise<Duty>>>> = {
  timer: async (parts) => new (await import('../timers/timer-duty.ts')).TimerDuty(parts),
  process: async (parts) => new (await import('../processes/process-duty.ts')).ProcessDuty(parts),
  queue: async (parts) => new (await import('../tasks/queue-duty.ts')).QueueDuty(parts),
  task: async (parts) => new (await import('../tasks/task-duty.ts')).TaskDuty(parts),
}
