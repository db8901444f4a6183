import type { Sender } from '../contracts/sender.ts'
import type { Member } from './post.ts'

/** The sender of a message as users' code sees it. */
export function senderOf({ role, index, name }: Member): Sender {
  // The process that holds the tasks runs nobody's code.
  return { role: role === 'queue' ? 'task' : role, slot: index, ...(name !== undefined && { name }) }
}
