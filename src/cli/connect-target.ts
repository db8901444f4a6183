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
  const { protocol, hostname, port } = new URL(url)
  if ((protocol === 'ws:' || protocol === 'wss:') && hostname !== '') return { kind: 'websocket', url }
  const kind = KINDS[protocol]
  if (kind === undefined || hostname === '' || Number(port) === 0) return undefined
  return { kind, host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) }
}
