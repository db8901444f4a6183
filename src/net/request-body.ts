import type { IncomingMessage } from 'node:http'

/**
 * Counts a body as it comes.
 * @param onTooLong called once when it grows past `maxBytes`, in place of the bytes too many
 */
export function boundBody(request: IncomingMessage, maxBytes: number, onTooLong: (request: IncomingMessage) => void): void {
  let bytes = 0
  const push = request.push
  // An own method, and not a class for all requests: only bodies without a length need it, and every other request would be slower.
  request.push = function (chunk: Buffer | null, encoding): boolean {
    if (chunk !== null) bytes += chunk.length
    if (bytes <= maxBytes) return push.call(this, chunk, encoding)
    onTooLong(this)
    return true
  }
}

/** No more of the body comes: whoever reads it gets the same error as from a client that has left. The connection lives on for the answer. */
export function breakOff(request: IncomingMessage): void {
  request.push = ignore
  // To Node a request that is destroyed takes its connection along. To this one it has gone already.
  const { socket } = request
  request.socket = Object.create(socket, { destroyed: { value: true } })
  request.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }))
  request.socket = socket
}

function ignore(): boolean {
  return true
}
