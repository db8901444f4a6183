import { answerAndEnd } from './http-answer.ts'
import { type StreamHandle, socketFromHandle } from './node-internals.ts'

// So many clients are told at a time, and waited for to read it: each is a descriptor for up to a second. The others are cut.
const MAX_TOLD = 256

/** The HTTP status of a client that is turned away as the worker is overloaded, which is not its fault. */
export const OVERLOADED = 503

/** The HTTP status that says why a client is not let in. 429 is for what it does itself; 503 may be over when it asks again. */
export const STATUS = { denied: 403, proxy_header: 400, rate: 429, max_connections: 503, max_connections_per_ip: 503 } as const

let numTold = 0

/** Answers a client that is not let in, whatever it asks. */
export function refuseByHttp(client: StreamHandle, status: number): void {
  if (numTold >= MAX_TOLD) return client.close()
  numTold++
  const socket = socketFromHandle(client)
  socket.on('error', () => socket.destroy())
  socket.once('close', () => numTold--)
  answerAndEnd(socket, status)
}
