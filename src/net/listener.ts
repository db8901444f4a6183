import type { Socket } from 'node:net'
import type { PeerAddress } from './address.ts'
import type { SocketConnection } from './connection.ts'
import type { Movable, MovedState } from './movable.ts'
import type { StreamHandle } from './node-internals.ts'
import type { Port, Standing } from './port.ts'

/** What a connection that comes from another worker is to be told. */
export interface Arrival {
  /** The worker that it comes from, and what it was to its port there. */
  readonly from: { readonly owner: number; readonly standing: Standing }
  /** How much it has had of each worker's messages. */
  readonly had: ReadonlyMap<number, number>
  /** Gives it what it has not had. */
  replay(connection: SocketConnection): void
}

/** What opens one port in one worker: the reactor of that port. */
export interface Listener {
  readonly port: Port
  /**
   * Takes the raw handle of a client that was let in.
   * @param peer the client's address: not the handle's own, where a proxy has said whom it speaks for
   * @param head what was read behind the proxy's words, as if it were read now
   */
  adopt?(client: StreamHandle, peer: PeerAddress, head?: Buffer): void
  /** Tells a client that it is not let in, where the protocol has words for it: an HTTP status. Without this method its handle is closed. */
  refuse?(client: StreamHandle, status: number): void
  /** The connections that could go to another worker now. */
  movables?(): Iterable<Movable>
  /** Takes over a connection that another worker has let go of. @param had what it has had there of each worker's messages */
  takeOver?(client: StreamHandle, state: MovedState, arrival: Arrival): void
  /** Receives nothing more that has no connection: another worker does. */
  leave?(): void
  /** Lets every HTTP response from now on be the last of its connection. */
  lastOnes?(): void
  /** Ends one of the port's sockets in good order: its worker stops, or is replaced and it cannot move (`isRestart`). */
  endOne?(socket: Socket, how: { isRestart: boolean }): void
  /** Ends everything in good order: connections close with reason `shutdown` once what was sent has left. */
  stop(): void
  /** Ends what `stop` did not. */
  destroy(): void
}
