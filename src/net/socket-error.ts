import type { CloseReason } from '../contracts/close-reason.ts'

/** A client that went away without a word is a client's close; anything else is an error. */
export function reasonOf(error: Error): CloseReason {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ECONNRESET' || code === 'EPIPE' ? 'client' : 'error'
}
