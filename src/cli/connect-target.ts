/** Where `polyport connect` goes. */
export type Target =
  | { readonly kind: 'tcp' | 'tls' | 'udp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'websocket'; readonly url: string }

const KINDS: Readonly<Record<string, 'tcp' | 'tls' | 'udp'>> = { 'tcp:': 'tcp', 'tls:': 'tls', 'udp:': 'udp' }

/**
 * The target that a URL names; undefined when it is not one of ours.
 */
export function parseTarget(url: string): Target | undefined {
  const path = /^unix:(?:\/\/(?=\/))?(.+)$/s.exec(url)?.[1]
  if (path !== undefined) return { kind: 'unix', path }
  if (!URL.canParse(url)) return undefined
  const parsed = new URL(url)
  const { protocol, hostname, port } = parsed
  if (hostname === '' || surplusOf(parsed) !== undefined) return undefined
  if (isWebSocket(protocol)) return { kind: 'websocket', url }
  const kind = KINDS[protocol]
  if (kind === undefined || Number(port) === 0) return undefined
  return { kind, host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) }
}

/** Why `parseTarget` has found no target in a URL. */
export function whyNoTarget(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  const surplus = parsed && surplusOf(parsed)
  if (parsed === undefined || surplus === undefined) return 'expected tcp://host:port, tls://host:port, udp://host:port, ws://…, wss://… or unix:/path'
  const { protocol } = parsed
  return `a ${protocol.slice(0, -1)} URL has no ${surplus}, expected ${protocol}//host:port${isWebSocket(protocol) ? '/path' : ''}`
}

/** What a URL of ours has too much: nobody would be sent it. */
function surplusOf({ protocol, username, password, pathname, search, hash }: URL): string | undefined {
  // RFC 6455 section 3 forbids a fragment, and nothing else.
  if (isWebSocket(protocol)) return hash === '' ? undefined : 'fragment'
  if (KINDS[protocol] === undefined) return undefined
  if (username !== '' || password !== '') return 'user'
  if (pathname !== '' && pathname !== '/') return 'path'
  if (search !== '') return 'query'
  return hash === '' ? undefined : 'fragment'
}

function isWebSocket(protocol: string): boolean {
  return protocol === 'ws:' || protocol === 'wss:'
}
