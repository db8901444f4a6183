import type { PortConfig } from '../config/schema.ts'

/** Where a port listens. A unix socket is a form of address, not a transport. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string }

/** Who is at the other end, as everything that uses an address sees it. On a unix socket `''` and 0. */
export interface PeerAddress {
  readonly address: string
  readonly port: number
}

/** The address a port's config names. */
export function addressOf(config: Pick<PortConfig, 'host' | 'port' | 'path'>): Address {
  return config.path === undefined ? { host: config.host, port: config.port ?? 0 } : { path: config.path }
}

/** As people write it: `127.0.0.1:80`, `[::1]:80`, `/run/x.sock`. */
export function formatAddress(address: Address): string {
  if ('path' in address) return address.path
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}

/** An IPv4 client of an IPv6 socket by its IPv4 address (RFC 4291 section 2.5.5.2). */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
