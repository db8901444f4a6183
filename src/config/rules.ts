import { basename, join, resolve } from 'node:path'
import { accountExists, ownersExist } from './account-rules.ts'
import { addressRules } from './address-rules.ts'
import { admissionRules } from './admission-rules.ts'
import type { ParsedPort, Shape } from './check-shape.ts'
import { HTTP_COMPRESSION, WEBSOCKET_COMPRESSION } from './compression-schema.ts'
import { fileRules, staticIsAFolder } from './file-rules.ts'
import type { Finding } from './finding.ts'
import { framingRules } from './framing-rules.ts'
import { at } from './issue-text.ts'
import { HTTP_LIMITS, limitsRules } from './limits-rules.ts'
import type { PortPlace } from './port-shape.ts'
import { MAX_SOCKET_PATH_BYTES, tooLongForASocket } from './socket-path.ts'
import { tlsRules } from './tls-rules.ts'
import { workRules } from './work-rules.ts'

/** What no single value can tell: how the values of a config fit together, and with what is on this machine. */
export type Rule = (shape: Shape, dir: string) => Finding[]

/** The name of a port that has none of its own: protocol-port, or protocol-basename for a path. */
export function portName(port: Pick<ParsedPort, 'name' | 'protocol' | 'port' | 'path'>): string {
  if (port.name !== undefined) return port.name
  const place = port.path === undefined ? String(port.port ?? '') : basename(port.path).replaceAll(/[^A-Za-z0-9_.-]/g, '-')
  return `${port.protocol}-${place}`.slice(0, 64)
}

export function portNamesAreUnique({ places }: Shape): Finding[] {
  const seen = new Map<string, PortPlace>()
  return places.flatMap((place) => {
    const { path, value } = place
    const name = nameOf(place)
    if (value.enabled === false || name === undefined) return []
    const first = seen.get(name)
    if (first === undefined) {
      seen.set(name, place)
      return []
    }
    const reason = value.name === undefined ? 'which this port gets for want of a name: give it one' : 'expected a name of its own'
    return [{ path: value.name === undefined ? path : [...path, 'name'], message: `ports[${first.path[1]}] already has the name "${name}", ${reason}` }]
  })
}

/** Undefined while it is not known. */
function nameOf({ value, wrong }: PortPlace): string | undefined {
  const { name, protocol, port, path } = value
  if (name !== undefined) return name
  const isPlaced = path !== undefined || (port !== undefined && !wrong.has('path'))
  return wrong.has('name') || protocol === undefined || !isPlaced ? undefined : portName({ protocol, port, path })
}

export function portOrPathIsGiven({ ports, admin }: Shape): Finding[] {
  return [...ports, ...(admin === undefined ? [] : [admin])].flatMap(({ path, given, value }) => {
    if (value.port === undefined && value.path === undefined) return [{ path, message: 'missing, expected "port", or "path" for a unix socket' }]
    if (value.path === undefined) return []
    const extra = ['port', 'host'].filter((key) => at(given, [key]) !== undefined)
    return extra.map((key) => ({ path: [...path, key], message: `a unix socket has no ${key}, expected either "path" or "host" and "port"`, isKey: true }))
  })
}

const CONNECTED = ['tcp', 'http', 'websocket', 'stream']

const ONLY: readonly { readonly key: readonly string[]; readonly protocols: readonly string[] }[] = [
  { key: ['framing'], protocols: ['tcp'] },
  { key: ['tls'], protocols: ['tcp', 'http', 'websocket', 'stream'] },
  { key: ['http2'], protocols: ['http'] },
  { key: ['static'], protocols: ['http'] },
  { key: ['websocket'], protocols: ['http'] },
  { key: ['hooks'], protocols: ['http'] },
  { key: ['compression'], protocols: ['http', 'websocket'] },
  ...HTTP_COMPRESSION.map((key) => ({ key: ['compression', key], protocols: ['http'] })),
  ...WEBSOCKET_COMPRESSION.map((key) => ({ key: ['compression', key], protocols: ['websocket'] })),
  { key: ['limits', 'maxPayload'], protocols: ['websocket'] },
  { key: ['limits', 'maxFragments'], protocols: ['websocket'] },
  { key: ['limits', 'messagesPerSecond'], protocols: ['tcp', 'websocket'] },
  { key: ['limits', 'maxConnections'], protocols: CONNECTED },
  { key: ['limits', 'maxConnectionsPerIp'], protocols: CONNECTED },
  { key: ['limits', 'connectionsPerSecondPerIp'], protocols: CONNECTED },
  { key: ['limits', 'maxLagMs'], protocols: CONNECTED },
  { key: ['heartbeat'], protocols: CONNECTED },
  { key: ['proxyProtocol'], protocols: CONNECTED },
  { key: ['trustedProxies'], protocols: ['http', 'websocket'] },
  { key: ['limits', 'upgradeSeconds'], protocols: ['websocket'] },
  ...HTTP_LIMITS.map((key) => ({ key: ['limits', key], protocols: ['http', 'websocket'] })),
]

export function keysFitTheProtocol({ ports }: Shape): Finding[] {
  return ports.flatMap(({ path, given, value }) =>
    ONLY.flatMap(({ key, protocols }) => {
      if (protocols.includes(value.protocol) || at(given, key) === undefined) return []
      const remedy = key.length > 1 && value.protocol === 'http' ? `: set it in websocket.${key[0]}` : ''
      return [{ path: [...path, ...key], message: `only for ${list(protocols)} ports, and this one is ${value.protocol}${remedy}`, isKey: true }]
    }),
  )
}

function list(words: readonly string[]): string {
  return words.length === 1 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}

export function ownershipNeedsAPath({ ports }: Shape): Finding[] {
  return ports.flatMap(({ path, value }) => {
    if (value.path !== undefined) return []
    const keys = (['mode', 'owner'] as const).filter((key) => value[key] !== undefined)
    return keys.map((key) => ({ path: [...path, key], message: `only for a unix socket, expected "path" beside "${key}"`, isKey: true }))
  })
}

export function socketPathsAreShort({ ports, admin, runtimeDir }: Shape, dir: string): Finding[] {
  const sockets = [...ports, ...(admin === undefined ? [] : [admin])].flatMap(({ path, value }) =>
    value.path === undefined ? [] : tooLongForASocket([...path, 'path'], resolve(dir, value.path)),
  )
  if (runtimeDir === undefined) return sockets
  const control = resolve(dir, join(runtimeDir, 'polyport.sock'))
  const bytes = Buffer.byteLength(control)
  if (bytes <= MAX_SOCKET_PATH_BYTES) return sockets
  const message = `the control socket ${control} would have a path of ${bytes} bytes, expected at most ${MAX_SOCKET_PATH_BYTES}: choose a shorter folder`
  return [...sockets, { path: ['runtimeDir'], message }]
}

/** Rules that hold wherever a config comes from. */
export const RULES: readonly Rule[] = [
  portNamesAreUnique,
  portOrPathIsGiven,
  keysFitTheProtocol,
  ownershipNeedsAPath,
  ownersExist,
  socketPathsAreShort,
  ...addressRules,
  ...admissionRules,
  ...framingRules,
  ...limitsRules,
  ...tlsRules,
  ...workRules,
  staticIsAFolder,
]

/**
 * For a config file also: the modules that it names are there, and the account. Those of a config object are looked for when they are loaded, and
 * within another program nobody becomes somebody else.
 */
export const FILE_CONFIG_RULES: readonly Rule[] = [...RULES, accountExists, ...fileRules]
