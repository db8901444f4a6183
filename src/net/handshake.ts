import type { IncomingMessage } from 'node:http'
import { BAD_REQUEST, type Fault } from './request-head.ts'

// RFC 6455 section 4.2.1: 16 bytes in base64. Of two keys Node makes one with a comma in it.
const KEY = /^[+/0-9A-Za-z]{22}==$/

/** RFC 6455 section 4.2.2: the answer to a version that is not spoken names the one that is. */
export const WRONG_VERSION: Fault = { status: 426, reason: 'error' }
const WRONG_ORIGIN: Fault = { status: 403, reason: 'origin' }

/** What is wrong with an opening handshake whose head is fine otherwise; undefined when nothing is. */
export function handshakeFault({ headers }: IncomingMessage, origins: Origins | undefined): Fault | undefined {
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) return BAD_REQUEST
  if (headers['sec-websocket-version'] !== '13') return WRONG_VERSION
  return origins === undefined || origins.allow(headers.origin) ? undefined : WRONG_ORIGIN
}

/** The pages that may open a WebSocket here. */
export class Origins {
  readonly #allowed: ReadonlySet<string>

  /** @param allowed as browsers send them, or `null` for pages without one (files, sandboxed frames) */
  constructor(allowed: readonly string[]) {
    this.#allowed = new Set(allowed.map((origin) => origin.toLowerCase()))
  }

  /**
   * RFC 6454 section 7: a browser always sends one with a WebSocket. A client that sends none is no page of another site, and could
   * send what it likes: it is for `onUpgrade` to know it.
   */
  allow(origin: string | undefined): boolean {
    return origin === undefined || this.#allowed.has(origin.toLowerCase())
  }
}
