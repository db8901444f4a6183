import type { Message } from './connection.ts'

/** The sender of a datagram. UDP has no connections: a peer is only good for answering. */
export interface Peer {
  /** The sender's address, or the path of its unix socket. */
  readonly address: string
  /** The sender's port; 0 on a unix socket. */
  readonly port: number
  /** Sends a datagram back, from the port it came to. Errors are counted, never thrown. */
  send(data: Message): void
}
