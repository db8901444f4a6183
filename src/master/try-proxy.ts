import type { PortConfig } from '../config/schema.ts'
import { AddressList } from '../net/address-list.ts'
import { messageText } from './try-message.ts'

// Version 1 of the protocol, section 2.1: the connection is the proxy's own, as for a health check.
const HEADER = 'PROXY UNKNOWN\\r\\n'

/** Whether the port takes who tries it for a proxy, which has to begin with a PROXY header. @param host where it is reached; '' for a unix socket */
export function needsHeader({ proxyProtocol }: PortConfig, host: string): boolean {
  // Who connects to an address of this machine comes from that address.
  return proxyProtocol !== undefined && new AddressList(proxyProtocol).has(host)
}

/** A line for a terminal that talks as a proxy to a tcp or stream port. @param place where, in the words of nc */
export function tryAsProxy({ tls, framing }: PortConfig, place: string): string {
  // No common client says the one before the other.
  if (tls !== undefined) return 'needs a PROXY header, then TLS'
  const message = framing && messageText(framing)
  return message === undefined ? `(printf '${HEADER}'; cat) | nc ${place}` : `printf '${HEADER}${message}' | nc -w1 ${place}`
}
