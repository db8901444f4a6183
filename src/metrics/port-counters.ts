import type { Protocol } from '../config/schema.ts'
import type { CloseReason } from '../contracts/close-reason.ts'
import { Histogram, type HistogramReport } from './histogram.ts'

/** What one worker counted on one port since it started, as plain data: it travels to the master. */
export interface PortReport {
  readonly name: string
  readonly protocol: Protocol
  /** Open now. */
  readonly connections: number
  readonly accepted: number
  /** By reason. */
  readonly refused: Readonly<Record<string, number>>
  /** HTTP requests that were refused before a handler saw them, or in the middle of their body, by `"413 frame_too_long"`. */
  readonly requestsRefused?: Readonly<Record<string, number>>
  /** Connections that ended, by reason. */
  readonly closed: Readonly<Record<string, number>>
  readonly messagesIn: number
  readonly messagesOut: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** Messages that were not sent because a send buffer was full. */
  readonly dropped: number
  /** How often accepting rested as descriptors ran out. */
  readonly rests: number
  /** Throws and rejections of the handler. */
  readonly errors: number
  /** Time in the handler's message callback, promises included. */
  readonly handlerSeconds: HistogramReport
  /** http: requests by `"GET 2xx"`. */
  readonly requests?: Readonly<Record<string, number>>
  /** http: from the request's head to the end of its response. */
  readonly requestSeconds?: HistogramReport
}

// RFC 9110 section 9 and RFC 5789. Anything else is counted as OTHER: a label must not come from a client.
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'])
const OTHER = 'OTHER'

/** The integers of one port. The hot path adds to them; metrics reads them. */
export class PortCounters {
  connections = 0
  accepted = 0
  readonly refused: Record<string, number> = {}
  readonly requestsRefused: Record<string, number> = {}
  readonly closed: Record<string, number> = {}
  messagesIn = 0
  messagesOut = 0
  bytesIn = 0
  bytesOut = 0
  dropped = 0
  rests = 0
  errors = 0
  readonly handler: Histogram = new Histogram()
  readonly #requests = new Map<string, number[]>()
  readonly requestDuration: Histogram = new Histogram()

  refuse(reason: CloseReason): void {
    this.refused[reason] = (this.refused[reason] ?? 0) + 1
  }

  /** @param status one of a bounded set */
  refuseRequest(status: number, reason: CloseReason): void {
    const key = `${status} ${reason}`
    this.requestsRefused[key] = (this.requestsRefused[key] ?? 0) + 1
  }

  close(reason: CloseReason): void {
    this.closed[reason] = (this.closed[reason] ?? 0) + 1
  }

  /** An http request was answered. No string is built per request. */
  request(method: string, status: number): void {
    const classes = this.#requests.get(method) ?? this.#firstOf(METHODS.has(method) ? method : OTHER)
    const index = Math.floor(status / 100)
    classes[index] = (classes[index] ?? 0) + 1
  }

  #firstOf(method: string): number[] {
    let classes = this.#requests.get(method)
    if (classes === undefined) this.#requests.set(method, (classes = [0, 0, 0, 0, 0, 0]))
    return classes
  }

  #requestReport(): Record<string, number> {
    const report: Record<string, number> = {}
    for (const [method, classes] of this.#requests) for (const [index, count] of classes.entries()) if (count > 0) report[`${method} ${index}xx`] = count
    return report
  }

  report(port: { name: string; protocol: Protocol }): PortReport {
    const http = port.protocol === 'http'
    return {
      name: port.name,
      protocol: port.protocol,
      connections: this.connections,
      accepted: this.accepted,
      refused: this.refused,
      closed: this.closed,
      messagesIn: this.messagesIn,
      messagesOut: this.messagesOut,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      dropped: this.dropped,
      rests: this.rests,
      errors: this.errors,
      handlerSeconds: this.handler.report(),
      ...((http || port.protocol === 'websocket') && { requestsRefused: this.requestsRefused }),
      ...(http && { requests: this.#requestReport(), requestSeconds: this.requestDuration.report() }),
    }
  }
}
