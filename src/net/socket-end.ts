import type { Socket } from 'node:net'

/** How long a client may take to read the rest of what was sent to it. */
export const FLUSH_MS = 30_000
// How long a client may take to close its side after ours. Closing before that would reset the connection, and with it the
// last answers, if the client had sent something unread (as nginx's lingering_close).
const LINGER_MS = 1000

/** Sends what is left, then FIN, and waits a bounded time for the client's. */
export function endInGoodOrder(socket: Socket): void {
  if (socket.destroyed) return
  let timer = setTimeout(() => socket.destroy(), FLUSH_MS)
  socket.once('close', () => clearTimeout(timer))
  socket.end(() => {
    clearTimeout(timer)
    if (!socket.destroyed) timer = setTimeout(() => socket.destroy(), LINGER_MS)
  })
}
