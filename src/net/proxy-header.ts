import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import { type PeerAddress, plainAddress } from './address.ts'

/**
 * The header of the PROXY protocol, versions 1 and 2: what a proxy says first, of the client that it speaks for.
 * https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt
 */

/** A whole header: its length, and the client; none where the proxy speaks for itself, or cannot tell. */
export interface ProxyHeader {
  readonly length: number
  readonly source: PeerAddress | undefined
}

/** Section 2.1: the longest line of version 1, its end included. */
const MAX_V1_BYTES = 107
const PROXY = Buffer.from('PROXY ')
const CR = 0x0d
const LF = 0x0a

/** Section 2.2: what version 2 begins with, and then the command, the family and the length of the rest. */
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V2_BYTES = 16
const VERSION = 0x20
const LOCAL = 0x00
const COMMAND_PROXY = 0x01
const FAMILY = { unspecified: 0x0, ipv4: 0x1, ipv6: 0x2, unix: 0x3 } as const
const ADDRESS_BYTES: readonly number[] = [0, 12, 36, 216]
const MAX_TRANSPORT = 0x2
const IPV4_BYTES = 4
const IPV6_BYTES = 16

/** The longest header that is read. The rest of version 2 may be 64 KiB long by its form; what proxies add to the addresses is some hundred bytes. */
export const MAX_HEADER_BYTES = 4096

/** @returns the header that the bytes begin with; undefined when more are needed; null when they begin with none */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | undefined | null {
  if (startsLike(bytes, SIGNATURE)) return parseV2(bytes)
  return startsLike(bytes, PROXY) ? parseV1(bytes) : null
}

/** Whether bytes begin with a mark, as far as they go. */
function startsLike(bytes: Buffer, mark: Buffer): boolean {
  const length = Math.min(bytes.length, mark.length)
  return bytes.compare(mark, 0, length, 0, length) === 0
}

function parseV1(bytes: Buffer): ProxyHeader | undefined | null {
  const end = bytes.subarray(0, MAX_V1_BYTES).indexOf(LF)
  if (end === -1) return bytes.length < MAX_V1_BYTES ? undefined : null
  if (bytes[end - 1] !== CR) return null
  const length = end + 1
  const [, family = '', ...rest] = bytes.toString('latin1', 0, end - 1).split(' ')
  // Whatever follows is to be ignored.
  if (family === 'UNKNOWN') return { length, source: undefined }
  const [source = '', destination = '', sourcePort = '', destinationPort = ''] = rest
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isPlainIPv6 : undefined
  if (isAddress === undefined || rest.length !== 4 || !isAddress(source) || !isAddress(destination)) return null
  const port = portOf(sourcePort)
  if (port === undefined || portOf(destinationPort) === undefined) return null
  return { length, source: { address: canonical(source), port } }
}

function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%')
}

function portOf(text: string): number | undefined {
  if (!/^(0|[1-9]\d{0,4})$/.test(text)) return undefined
  const port = Number(text)
  return port <= 0xffff ? port : undefined
}

function parseV2(bytes: Buffer): ProxyHeader | undefined | null {
  const command = bytes[SIGNATURE.length]
  if (command !== undefined && command !== (VERSION | LOCAL) && command !== (VERSION | COMMAND_PROXY)) return null
  if (bytes.length < V2_BYTES) return undefined
  const rest = bytes.readUInt16BE(V2_BYTES - 2)
  const length = V2_BYTES + rest
  if (length > MAX_HEADER_BYTES) return null
  const kind = bytes[V2_BYTES - 3] ?? 0
  const family = kind >> 4
  const addressBytes = ADDRESS_BYTES[family]
  if (command === (VERSION | COMMAND_PROXY) && (addressBytes === undefined || (kind & 0xf) > MAX_TRANSPORT || rest < addressBytes)) return null
  if (bytes.length < length) return undefined
  // A health check of the proxy's own: what it says of addresses is to be ignored. What follows the addresses (TLVs) is, too.
  if (command === (VERSION | LOCAL) || (kind & 0xf) === 0) return { length, source: undefined }
  return { length, source: sourceOf(family, bytes.subarray(V2_BYTES, length)) }
}

function sourceOf(family: number, block: Buffer): PeerAddress | undefined {
  // Two addresses, two ports.
  if (family === FAMILY.ipv4) return { address: block.subarray(0, IPV4_BYTES).join('.'), port: block.readUInt16BE(2 * IPV4_BYTES) }
  if (family === FAMILY.ipv6) return { address: canonical(formatIPv6(block)), port: block.readUInt16BE(2 * IPV6_BYTES) }
  // Paths are no addresses here: such a client is like one of a unix socket of ours.
  return family === FAMILY.unix ? { address: '', port: 0 } : undefined
}

function formatIPv6(block: Buffer): string {
  const words: string[] = []
  for (let at = 0; at < IPV6_BYTES; at += 2) words.push(block.readUInt16BE(at).toString(16))
  return words.join(':')
}

/** An IPv6 address as the kernel would write it, an IPv4 one in it plainly. */
function canonical(address: string): string {
  return address.includes(':') ? plainAddress(new SocketAddress({ address, family: 'ipv6' }).address) : address
}
