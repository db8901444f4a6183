import type { Socket } from 'node:net'
import { STATUS_CODES } from './node-http.ts'
import { endRefused } from './socket-end.ts'

/** Answers with a plain response past Node's own objects, and ends the connection so that the client can read it. */
export function answerAndEnd(socket: Socket, status: number, body: string = STATUS_CODES[status] ?? '', fields: readonly string[] = []): void {
  if (socket.destroyed || socket.writableEnded) return
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    `Date: ${new Date().toUTCString()}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...fields,
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  endRefused(socket)
  // What still comes is thrown away: closing before would reset the connection, and the answer with it.
  socket.resume()
}
