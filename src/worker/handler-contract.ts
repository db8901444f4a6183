import type { Protocol } from '../config/schema.ts'

/** What the handler class of a protocol looks like from outside: its callbacks by name. */
export interface HandlerContract {
  readonly base: string
  readonly required: string
  readonly callbacks: readonly string[]
}

const ALWAYS = ['onStart', 'onStop']

export const CONTRACTS: Readonly<Record<Protocol, HandlerContract>> = {
  tcp: { base: 'TcpHandler', required: 'onReceive', callbacks: [...ALWAYS, 'onConnect', 'onHandover', 'onReceive', 'onDrain', 'onClose'] },
  udp: { base: 'UdpHandler', required: 'onPacket', callbacks: [...ALWAYS, 'onPacket'] },
  http: { base: 'HttpHandler', required: 'onRequest', callbacks: [...ALWAYS, 'onRequest'] },
  websocket: {
    base: 'WebSocketHandler',
    required: 'onMessage',
    callbacks: [...ALWAYS, 'onUpgrade', 'onOpen', 'onHandover', 'onMessage', 'onDrain', 'onClose'],
  },
  stream: { base: 'StreamHandler', required: 'onStream', callbacks: [...ALWAYS, 'onStream'] },
}

/** Callbacks of different protocols that mean the same. */
const SAME = [
  ['onConnect', 'onOpen'],
  ['onReceive', 'onPacket', 'onRequest', 'onMessage', 'onStream'],
]

/** For a callback of other protocols: what it is called in this one, if it is there. Undefined for what is no such callback. */
export function foreignCallback(name: string, protocol: Protocol): { readonly meant: string | undefined } | undefined {
  const { callbacks } = CONTRACTS[protocol]
  if (callbacks.includes(name) || !Object.values(CONTRACTS).some((contract) => contract.callbacks.includes(name))) return undefined
  return { meant: SAME.find((names) => names.includes(name))?.find((other) => callbacks.includes(other)) }
}

/** The class that a protocol's handlers extend; undefined for a word that is no protocol. */
export function baseOf(protocol: unknown): string | undefined {
  return typeof protocol === 'string' && Object.hasOwn(CONTRACTS, protocol) ? CONTRACTS[protocol as Protocol].base : undefined
}
