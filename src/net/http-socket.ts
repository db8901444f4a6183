import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { CloseReason } from '../contracts/close-reason.ts'
import type { MeasuredResponse } from './node-http-internals.ts'

/** What is noted on the socket of an HTTP connection. */
export interface HttpSocket extends Socket {
  /** The latest request's response, as long as it has not left: a stop makes that one the last. */
  polyportResponse?: MeasuredResponse | undefined
  /** A request that was answered before its body had come. */
  polyportUnread?: IncomingMessage | undefined
  /** When the latest response has left, by `performance.now()`; 0 before the first. */
  polyportAnsweredAt?: number
  /** Nothing more is taken from this client, and why. */
  polyportRefused?: CloseReason | undefined
}
