import type { Socket } from 'node:net'
import type { SocketConnection } from './connection.ts'
import type { Movable, MovedState } from './movable.ts'
import type { StreamHandle } from './node-internals.ts'
import type { Port } from './port.ts'

/** What a connection that comes from another worker is to be told. */
export interface Arrival {
  /** How much it has had of each worker's messages. */
  readonly had: ReadonlyMap<number, number>
  /** Gives it what it has not had. */
  replay(connection: SocketConnection): void
}

/** What opens one port in one worker: the reactor of that port. */
export interface Listener {
  readonly port: Port
  /** Takes a client's raw handle: one that was accepted here, or by the master. */
  adopt?(client: StreamHandle): void
  /** The connections that could go to another worker now. */
  movables?(): Iterable<Movable>
  /** Takes over a connection that another worker has let go of. @param had what it has had there of each worker's messages */
  takeOver?(client: StreamHandle, state: MovedState, arrival: Arrival): void
  /** Receives nothing more that has no connection: another worker does. */
  leave?(): void
  /** Lets every HTTP response from now on be the last of its connection. */
  lastOnes?(): void
  /** Ends one of the port's sockets in good order, as its worker is replaced and it cannot move. */
  endOne?(socket: Socket): void
  /** Ends everything in good order: connections close with reason `shutdown` once what was sent has left. */
  stop(): void
  /** Ends what `stop` did not. */
  destroy(): void
}
