import type { CloseFrame } from '../contracts/close-frame.ts'

// RFC 6455 section 7.4: the others are the protocol's own, or not to be sent at all.
const NORMAL = 1000
const FIRST_OWN = 3000
const LAST_OWN = 4999
// A control frame has 125 bytes, and the code takes two of them.
const MAX_REASON_BYTES = 123

/** @throws RangeError when no application may close with it */
export function checkCloseFrame({ code = NORMAL, reason = '' }: CloseFrame): Required<CloseFrame> {
  const isOwn = Number.isInteger(code) && code >= FIRST_OWN && code <= LAST_OWN
  if (code !== NORMAL && !isOwn) throw new RangeError(`Cannot close with code ${code}: expected 1000, or 3000 to 4999`)
  const bytes = Buffer.byteLength(reason)
  if (bytes > MAX_REASON_BYTES) throw new RangeError(`Cannot close with a reason of ${bytes} bytes: expected at most ${MAX_REASON_BYTES}`)
  return { code, reason }
}
