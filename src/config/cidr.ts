import { isIP } from 'node:net'

/** A range of addresses; one address is the range of its full length. */
export interface Cidr {
  readonly family: 'ipv4' | 'ipv6'
  readonly address: string
  readonly prefix: number
}

// ::ffff:0:0/96, RFC 4291 section 2.5.5.2: how an IPv6 socket shows IPv4 clients.
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i
const MAPPED_BITS = 96

/** Reads `10.0.0.0/8`, `::1` and the like; undefined for what is no range. IPv4 written as IPv6 is IPv4. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', bits, ...rest] = text.split('/')
  const version = isIP(address)
  if (version === 0 || address.includes('%') || rest.length > 0 || (bits !== undefined && !/^(0|[1-9]\d{0,2})$/.test(bits))) return undefined
  const length = version === 4 ? 32 : 128
  const prefix = bits === undefined ? length : Number(bits)
  if (prefix > length) return undefined
  const plain = MAPPED.exec(address)?.[1]
  if (plain !== undefined && isIP(plain) === 4 && prefix >= MAPPED_BITS) return { family: 'ipv4', address: plain, prefix: prefix - MAPPED_BITS }
  return { family: version === 4 ? 'ipv4' : 'ipv6', address, prefix }
}
