import { isIP, SocketAddress } from 'node:net'
import { resolve } from 'node:path'
import type { ParsedAdmin, Shape, Shaped } from './check-shape.ts'
import { type Finding, formatPath, type Path } from './finding.ts'
import type { PortPlace } from './port-shape.ts'

interface Place {
  readonly path: Path
  readonly family: 'stream' | 'datagram'
  readonly host: string
  readonly port: number
  readonly socket: string | undefined
}

export function addressesAreUnique({ places: ports, admin }: Shape, dir: string): Finding[] {
  const places = ports.flatMap((port) => placeOfPort(port, dir))
  if (admin !== undefined) places.push(place(admin, 'stream', dir))
  // Only those with the same number or file can overlap.
  const seen = new Map<number | string, Place[]>()
  return places.flatMap((one) => {
    const rivals = seen.get(one.socket ?? one.port) ?? []
    const other = rivals.find((earlier) => overlap(earlier, one))
    seen.set(one.socket ?? one.port, rivals)
    rivals.push(one)
    if (other === undefined) return []
    const at = formatPath(other.path)
    if (one.socket !== undefined) return [{ path: [...one.path, 'path'], message: `${at} already listens on ${one.socket}, expected a path of its own` }]
    return [{ path: [...one.path, 'port'], message: `${at} already listens on ${text(other)}, expected another port or host` }]
  })
}

/** Two sockets of different type can share a port number, but not a file. */
function overlap(a: Place, b: Place): boolean {
  if (a.socket !== undefined || b.socket !== undefined) return a.socket === b.socket
  if (a.port === 0 || a.port !== b.port || a.family !== b.family) return false
  return a.host === b.host || covers(a.host, b.host) || covers(b.host, a.host)
}

/** `::` takes IPv4 too; which address a name has is only known when it is looked up. */
function covers(wildcard: string, host: string): boolean {
  return wildcard === '::' || (wildcard === '0.0.0.0' && isIP(host) !== 6)
}

/** Nothing while its address is not known. */
function placeOfPort({ path, value, wrong }: PortPlace, dir: string): Place[] {
  const { protocol, host = '', port, path: socket } = value
  if (value.enabled === false || protocol === undefined || wrong.has('path')) return []
  if (socket === undefined && (port === undefined || wrong.has('host'))) return []
  return [place({ path, value: { host, port, path: socket } }, protocol === 'udp' ? 'datagram' : 'stream', dir)]
}

function place({ path, value }: Pick<Shaped<Pick<ParsedAdmin, 'host' | 'port' | 'path'>>, 'path' | 'value'>, family: Place['family'], dir: string): Place {
  return { path, family, host: canonical(value.host), port: value.port ?? 0, socket: value.path === undefined ? undefined : resolve(dir, value.path) }
}

/** An IPv6 address can be written in many ways. */
function canonical(host: string): string {
  return isIP(host) === 6 && !host.includes('%') ? new SocketAddress({ address: host, family: 'ipv6' }).address : host.toLowerCase()
}

function text({ host, port }: Place): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

const HOST_NAME = /^(?!.*\.\d+\.?$)(?!\d+$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?$/

export function hostsAreAddressesOrNames({ ports, admin }: Shape): Finding[] {
  return [...ports, ...(admin === undefined ? [] : [admin])].flatMap(({ path, value: { host } }) => {
    if (isIP(host) !== 0 || HOST_NAME.test(host)) return []
    const isBracketed = /^\[.*\]$/.test(host) && isIP(host.slice(1, -1)) === 6
    const expected = isBracketed ? 'the address without brackets' : 'an IPv4 or IPv6 address, or a host name'
    return [{ path: [...path, 'host'], message: `${JSON.stringify(host.slice(0, 80))} is no address, expected ${expected}` }]
  })
}

export function openAdminNeedsAToken({ admin }: Shape): Finding[] {
  if (admin === undefined || admin.value.path !== undefined || admin.value.token !== undefined || isLoopback(admin.value.host)) return []
  const message = `others than this machine can reach ${admin.value.host}, expected "token" in admin, or "host": "127.0.0.1"`
  return [{ path: [...admin.path, 'host'], message }]
}

function isLoopback(host: string): boolean {
  return host.toLowerCase() === 'localhost' || canonical(host) === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

export const addressRules: readonly ((shape: Shape, dir: string) => Finding[])[] = [addressesAreUnique, hostsAreAddressesOrNames, openAdminNeedsAToken]
