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
  if ((protocol === 'ws:' || protocol === 'wss:') && hostname !== '') return { kind: 'websocket', url }
  const kind = KINDS[protocol]
  if (kind === undefined || hostname === '' || Number(port) === 0 || surplusOf(parsed) !== undefined) return undefined
  return { kind, host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) }
}

/** Why `parseTarget` has found no target in a URL. */
export function whyNoTarget(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  const kind = parsed && KINDS[parsed.protocol]
  const surplus = parsed && surplusOf(parsed)
  if (kind !== undefined && surplus !== undefined) return `a ${kind} URL has no ${surplus}, expected ${kind}://host:port`
  return 'expected tcp://host:port, tls://host:port, udp://host:port, ws://…, wss://… or unix:/path'
}

/** What a URL has beside host and port: nobody would be sent it. */
function surplusOf({ username, password, pathname, search, hash }: URL): string | undefined {
  if (username !== '' || password !== '') return 'user'
  if (pathname !== '' && pathname !== '/') return 'path'
  if (search !== '') return 'query'
  return hash === '' ? undefined : 'fragment'
}
