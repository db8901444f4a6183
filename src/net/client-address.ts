import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { type PeerAddress, plainAddress } from './address.ts'
import type { AddressList } from './address-list.ts'

// On the request itself, so that an app with a copy of this package of its own finds the same.
const PROXIES = Symbol.for('polyport.trustedProxies')

interface ForwardedRequest extends IncomingMessage {
  [PROXIES]?: AddressList
}

/** What `X-Forwarded-For` says of this request is believed, as far as these proxies have written it. */
export function believe(request: IncomingMessage, proxies: AddressList): void {
  ;(request as ForwardedRequest)[PROXIES] = proxies
}

/**
 * The address of the client behind a request: of its connection, or, where that comes from one of the port's `trustedProxies`, the right-most of
 * `X-Forwarded-For` that is none of them. What stands further left was written by the client itself. `''` on a unix socket.
 */
export function clientAddress(request: IncomingMessage): string {
  const peer = plainAddress(request.socket.remoteAddress ?? '')
  const proxies = (request as ForwardedRequest)[PROXIES]
  const header = request.headers['x-forwarded-for']
  if (proxies === undefined || header === undefined || !proxies.has(peer)) return peer
  const entries = (typeof header === 'string' ? header : header.join(',')).split(',')
  let client = peer
  for (let entry = entries.pop(); entry !== undefined; entry = entries.pop()) {
    const address = addressOf(entry.trim())
    if (address === undefined) return client
    client = address
    if (!proxies.has(client)) return client
  }
  return client
}

/** The client of a request as the peer of its connection. Its port is not known where a proxy has forwarded it. */
export function clientOf(request: IncomingMessage): PeerAddress {
  const address = clientAddress(request)
  const { remoteAddress = '', remotePort = 0 } = request.socket
  return { address, port: address === plainAddress(remoteAddress) ? remotePort : 0 }
}

/** An entry is an address, of some proxies with its port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function addressOf(entry: string): string | undefined {
  const bare = /^\[(.*)\](:\d+)?$/.exec(entry)?.[1] ?? /^([\d.]+):\d+$/.exec(entry)?.[1] ?? entry
  return isIP(bare) === 0 ? undefined : plainAddress(bare)
}
