import type { ProcessRole } from './daemon.ts'

/** The process that a message came from. */
export interface Sender {
  readonly role: ProcessRole
  /** Which of its role, or of its name, it is: the slot of a worker, say. */
  readonly slot: number
  /** The name of a custom process. */
  readonly name?: string
}
