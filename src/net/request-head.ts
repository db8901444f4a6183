import type { IncomingMessage } from 'node:http'
import type { LimitsConfig } from '../config/limits-schema.ts'
import type { CloseReason } from '../contracts/close-reason.ts'

/** Why a request is refused, and with which status. */
export interface Fault {
  readonly status: number
  readonly reason: CloseReason
}

export const BAD_REQUEST: Fault = { status: 400, reason: 'error' }
export const UNKNOWN_EXPECTATION: Fault = { status: 417, reason: 'error' }
export const TOO_LONG_BODY: Fault = { status: 413, reason: 'frame_too_long' }
const TOO_MANY_FIELDS: Fault = { status: 431, reason: 'frame_too_long' }

// RFC 3986 section 3.2: a name or IPv4 address, or an IP literal in brackets; a port. No user, no path.
const HOST = /^(?:(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/
const ABSOLUTE = /^https?:\/\/([^/?#]+)/i
const SLASH = 47

/** Looks at the heads of requests for what `node:http` lets pass. One for each listener. Hot path: nothing is made for a good one. */
export class HeadCheck {
  readonly #limits: LimitsConfig
  // Most requests have the same.
  #goodHost = ''

  constructor(limits: LimitsConfig) {
    this.#limits = limits
  }

  /** Whether the last one that was looked at has a body. */
  hasBody = false
  /** And one whose length is not known before. */
  hasOpenBody = false

  /** Undefined when it is as it should be. A target in absolute form becomes one in origin form. */
  faultOf(request: IncomingMessage): Fault | undefined {
    this.hasBody = false
    this.hasOpenBody = false
    // `GET /` alone is taken for HTTP/0.9. HTTP/2 has checks of its own.
    if (request.httpVersionMajor !== 1) return request.httpVersionMajor === 2 ? undefined : BAD_REQUEST
    const { rawHeaders } = request
    if (rawHeaders.length > 2 * this.#limits.headerFields) return TOO_MANY_FIELDS
    const url = request.url ?? ''
    if (url.charCodeAt(0) !== SLASH && !toOriginForm(request, url)) return BAD_REQUEST
    let numHosts = 0
    let isTooLong = false
    // Not `request.headers`: of several hosts it has the first.
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = rawHeaders[i] ?? ''
      const value = rawHeaders[i + 1] ?? ''
      if (is(name, 'Host', 'host')) {
        numHosts++
        if (!this.#isHostGood(value)) return BAD_REQUEST
      } else if (is(name, 'Content-Length', 'content-length')) {
        this.hasBody = true
        isTooLong = Number(value) > this.#limits.bodyBytes
      } else if (is(name, 'Transfer-Encoding', 'transfer-encoding')) {
        // RFC 9112 section 6.1: HTTP/1.0 has no such thing, and others are not known here, so what comes cannot be told apart.
        if (request.httpVersionMinor === 0 || value.toLowerCase() !== 'chunked') return BAD_REQUEST
        this.hasBody = true
        this.hasOpenBody = true
      }
    }
    // RFC 9112 section 3.2: in HTTP/1.1 exactly one.
    if (numHosts > 1 || (numHosts === 0 && request.httpVersionMinor !== 0)) return BAD_REQUEST
    return isTooLong ? TOO_LONG_BODY : undefined
  }

  #isHostGood(host: string): boolean {
    if (host === this.#goodHost) return true
    if (!HOST.test(host)) return false
    this.#goodHost = host
    return true
  }
}

/** Whether a field has this name, which is usually written as `usual`. */
function is(name: string, usual: string, lower: string): boolean {
  return name.length === lower.length && (name === usual || name.toLowerCase() === lower)
}

/** RFC 9112 section 3.2.2: a server takes `GET http://host/path`, too, and believes that host. */
function toOriginForm(request: IncomingMessage, url: string): boolean {
  if (url === '*') return request.method === 'OPTIONS'
  const [origin, host] = ABSOLUTE.exec(url) ?? []
  if (origin === undefined || host === undefined || !HOST.test(host)) return false
  const rest = url.slice(origin.length)
  request.url = rest.startsWith('/') ? rest : `/${rest}`
  if (request.headers.host !== undefined) request.headers.host = host
  return true
}
