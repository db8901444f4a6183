import type { CloseReason } from '../contracts/close-reason.ts'
import type { SocketConnection } from './connection.ts'
import type { Connections } from './connections.ts'
import type { Outbox } from './outbox.ts'
import type { Port } from './port.ts'
import type { Wire } from './wire.ts'

/** What all connections of a listener share. */
export interface ConnectionContext {
  readonly port: Port
  readonly wire: Wire
  readonly outbox: Outbox
  readonly connections: Connections
  readonly callbacks: ConnectionCallbacks
}

/** The handler's callbacks, guarded and counted. A promise that comes back never rejects. */
export interface ConnectionCallbacks {
  /** A connection with more messages that wait is closed. */
  readonly maxWaiting: number
  opened(connection: SocketConnection, request?: unknown): Promise<void> | undefined
  receive(connection: SocketConnection, message: string | Buffer): Promise<void> | undefined
  drained(connection: SocketConnection): void
  handedOver(connection: SocketConnection): Promise<void> | undefined
  closed(connection: SocketConnection, reason: CloseReason): Promise<void> | undefined
  /** A connection is to close, or to move: where it waits for nothing but its rate, it waits no longer. */
  wake?(connection: SocketConnection): void
}

/** The socket of a connection, or what speaks its protocol on it. */
export interface Link {
  pause(): void
  resume(): void
}
