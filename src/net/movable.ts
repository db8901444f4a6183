import type { PeerAddress } from './address.ts'
import type { ConnectionState } from './connection-state.ts'
import type { StreamHandle } from './node-internals.ts'
import type { Standing } from './port.ts'
import type { ReaderState } from './ws-internals.ts'

/** All that a connection is, apart from its socket. Plain data: it is structured-cloned from one worker to the next. */
export type MovedState =
  | { readonly kind: 'tcp'; readonly connection: ConnectionState /** Received, and no whole frame yet. */; readonly pending: Uint8Array }
  | { readonly kind: 'websocket'; readonly connection: ConnectionState; readonly reader: ReaderState }
  | { readonly kind: 'http' /** Nothing was ever received. */; readonly isNew: boolean; readonly peer: PeerAddress }

/** A live connection that could go to another worker now. In the order of its methods, or `goOn` after the first. */
export interface Movable {
  /** Its number; 0 for a connection between two HTTP requests. */
  readonly fd: number
  readonly handle: StreamHandle
  readonly standing: Standing
  /** Nothing more is read, no further message is handled; what is sent still leaves. */
  halt(): void
  /** Everything as before. */
  goOn(): void
  /** Undefined when it has closed since. @throws what structured cloning says of `connection.data` */
  state(): MovedState | undefined
  /** It is another worker's now: here it ends without a word. */
  letGo(): void
}
