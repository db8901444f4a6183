import type { Protocol } from '../config/schema.ts'

/** What the handler class of a protocol looks like from outside: its callbacks by name. */
export interface HandlerContract {
  readonly base: string
  readonly required: string
  readonly callbacks: readonly string[]
}

const ALWAYS = ['onStart', 'onStop']

export const CONTRACTS: Readonly<Record<Protocol, HandlerContract>> = {
  tcp: { base: 'TcpHandler', required: 'onReceive', callbacks: [...ALWAYS, 'onConnect', 'onReceive', 'onDrain', 'onClose'] },
  udp: { base: 'UdpHandler', required: 'onPacket', callbacks: [...ALWAYS, 'onPacket'] },
  http: { base: 'HttpHandler', required: 'onRequest', callbacks: [...ALWAYS, 'onRequest'] },
  websocket: { base: 'WebSocketHandler', required: 'onMessage', callbacks: [...ALWAYS, 'onUpgrade', 'onOpen', 'onMessage', 'onDrain', 'onClose'] },
  stream: { base: 'StreamHandler', required: 'onStream', callbacks: [...ALWAYS, 'onStream'] },
}

/** The class that a protocol's handlers extend; undefined for a word that is no protocol. */
export function baseOf(protocol: unknown): string | undefined {
  return typeof protocol === 'string' && Object.hasOwn(CONTRACTS, protocol) ? CONTRACTS[protocol as Protocol].base : undefined
}
