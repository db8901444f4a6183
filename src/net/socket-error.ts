import type { CloseReason } from '../contracts/close-reason.ts'

/** A client that went away without a word is a client's close; anything else is an error. */
export function reasonOf(error: Error): CloseReason {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'client'
  return code?.startsWith('ERR_SSL_') === true || code?.startsWith('ERR_TLS_') === true ? 'tls' : 'error'
}
