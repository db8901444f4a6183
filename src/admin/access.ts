import { createHash, timingSafeEqual } from 'node:crypto'
import { BlockList, isIP } from 'node:net'
import type { Address } from '../net/address.ts'

/** Who may do what at one admin server. */
export interface Access {
  /** The control socket: only this user can open it, so everything is allowed. */
  readonly trusted: boolean
  /** Asked for on every path but those of health checks. Without it nothing that changes something is served. */
  readonly token: string | undefined
  /** Where it listens. A browser that another site's DNS answer sends here names that site, not this host. */
  readonly address: Address
}

/** A refusal: the status and the sentence to answer with. */
export interface Refusal {
  readonly status: 401 | 403
  readonly message: string
}

/** Whether a request may go on to its path; the refusal if not. */
export function refuse(
  access: Access,
  request: { readonly host: string | undefined; readonly authorization: string | undefined; readonly changes: boolean },
): Refusal | undefined {
  if (access.trusted) return undefined
  if (access.token !== undefined) {
    if (isBearer(request.authorization, access.token)) return undefined
    return { status: 401, message: 'This needs the header "Authorization: Bearer" with admin.token of the config' }
  }
  if ('host' in access.address && !isOwnHost(request.host, access.address.host)) {
    return { status: 403, message: 'Without admin.token only requests to localhost are answered: the Host header names another host' }
  }
  if (request.changes) return { status: 403, message: 'Without admin.token nothing can be changed here: set it in the config, or use the command line' }
  return undefined
}

/** Whether only this machine reaches an address. */
export function isLoopback(host: string): boolean {
  const type = isIP(host)
  if (type === 0) return host.toLowerCase() === 'localhost' || host.toLowerCase().endsWith('.localhost')
  return LOOPBACK.check(host, type === 6 ? 'ipv6' : 'ipv4')
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

function isOwnHost(header: string | undefined, configured: string): boolean {
  if (header === undefined) return false
  const host = header.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1')
  return isLoopback(host) || host.toLowerCase() === configured.toLowerCase()
}

function isBearer(header: string | undefined, token: string): boolean {
  const given = /^bearer +(\S+) *$/i.exec(header ?? '')?.[1]
  // Digests are of one length, so the comparison takes the same time whatever was given.
  return given !== undefined && timingSafeEqual(digest(given), digest(token))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
