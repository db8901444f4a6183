import type { Socket } from 'node:net'

/** How long a client may take to read the rest of what was sent to it. */
export const FLUSH_MS = 30_000
// How long a client may take to close its side after ours. Closing before that would reset the connection, and with it the
// last answers, if the client had sent something unread (as nginx's lingering_close).
const LINGER_MS = 1000

/**
 * What a client sends behind the end of its connection is read so that it gets what was sent to it before. One that goes on and on need not be
 * read: it waits until it is cut.
 */
export const MAX_DISCARDED_BYTES = 1024 * 1024

// A client that uploads and reads only then gets the answer that says why not, if this is enough for the rest.
const MAX_REFUSED_BYTES = 16 * 1024 * 1024

/** As `endInGoodOrder`, for a client that is told why its request is refused: what it still sends is read, so that it gets to the answer, and is cut if there is no end. */
export function endRefused(socket: Socket): void {
  endInGoodOrder(socket)
  boundDiscarded(socket, () => socket.destroy(), MAX_REFUSED_BYTES)
}

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

/** Counts what still comes of a socket that is to close. @param stop called with each read that is one too many */
export function boundDiscarded(socket: Socket, stop: () => void, maxBytes: number = MAX_DISCARDED_BYTES): void {
  let bytes = 0
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes >= maxBytes) stop()
  })
}
