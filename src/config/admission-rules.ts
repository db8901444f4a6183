import type { Shape } from './check-shape.ts'
import { parseCidr } from './cidr.ts'
import type { Finding } from './finding.ts'
import { at, show } from './issue-text.ts'

const LISTS = ['allow', 'deny', 'proxyProtocol', 'trustedProxies'] as const
const PROXY_LISTS: readonly string[] = ['proxyProtocol', 'trustedProxies']

export function addressListsHoldAddresses({ ports }: Shape): Finding[] {
  return ports.flatMap(({ path, value }) =>
    LISTS.flatMap((key) =>
      (value[key] ?? []).flatMap((entry, index) => {
        if (parseCidr(entry) !== undefined || (entry === 'unix' && PROXY_LISTS.includes(key))) return []
        const expected = 'expected an address, or a range such as "10.0.0.0/8" or "2001:db8::/32"'
        return [{ path: [...path, key, index], message: `${show(entry)} is no address, ${expected}` }]
      }),
    ),
  )
}

export function unixSocketsHaveNoAddresses({ ports }: Shape): Finding[] {
  return ports.flatMap(({ path, given, value }) => {
    const isUnix = value.path !== undefined
    const rules = (['allow', 'deny'] as const).filter((key) => isUnix && at(given, [key]) !== undefined)
    const proxies = (['proxyProtocol', 'trustedProxies'] as const).flatMap((key) =>
      (value[key] ?? []).flatMap((entry, index) => {
        if ((entry === 'unix') === isUnix) return []
        const message = isUnix
          ? `${show(entry)} never connects by a unix socket, expected "unix"`
          : '"unix" never connects here, expected an address: this port has no "path"'
        return [{ path: [...path, key, index], message }]
      }),
    )
    return [
      ...rules.map((key) => ({ path: [...path, key], message: 'clients of a unix socket have no address: use "mode" and "owner"', isKey: true })),
      ...proxies,
    ]
  })
}

// They are of the connection, before it is known what it asks for.
const OF_THE_PORT = ['maxConnections', 'maxConnectionsPerIp', 'connectionsPerSecondPerIp', 'maxLagMs'] as const

export function limitsOfThePortAreInIt({ ports }: Shape): Finding[] {
  return ports.flatMap(({ path, given }) =>
    OF_THE_PORT.flatMap((key) => {
      if (at(given, ['websocket', 'limits', key]) === undefined) return []
      return [{ path: [...path, 'websocket', 'limits', key], message: 'of the whole port, expected in its own limits', isKey: true }]
    }),
  )
}

export function heartbeatsAreChecked({ ports }: Shape): Finding[] {
  return ports.flatMap(({ path, value: { heartbeat, protocol, websocket } }) => {
    if (heartbeat === undefined) return []
    const { idleSeconds, checkSeconds = 0 } = heartbeat
    if (protocol === 'http' && websocket === undefined) {
      return [{ path: [...path, 'heartbeat'], message: 'on an http port it is for its WebSockets, expected "websocket" beside it', isKey: true }]
    }
    if (checkSeconds <= idleSeconds) return []
    return [{ path: [...path, 'heartbeat', 'checkSeconds'], message: `expected at most idleSeconds, which is ${idleSeconds}, found ${checkSeconds}` }]
  })
}

export const admissionRules: readonly ((shape: Shape) => Finding[])[] = [
  addressListsHoldAddresses,
  unixSocketsHaveNoAddresses,
  limitsOfThePortAreInIt,
  heartbeatsAreChecked,
]
