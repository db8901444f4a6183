import type { CloseFrame } from './close-frame.ts'
import type { CloseReason } from './close-reason.ts'
import type { TlsInfo } from './tls-info.ts'

/** What a handler sends: text or bytes. On a WebSocket a string leaves as a text frame, bytes as a binary frame. */
export type Message = string | Uint8Array

/** One TCP, unix or WebSocket peer, as its handler sees it. */
export interface Connection {
  /**
   * The connection's number: unique over all workers, never reused, unchanged when the connection moves to another
   * worker. Not the kernel's descriptor.
   */
  readonly fd: number
  /** The name of the port that it came in by. */
  readonly port: string
  /** The peer's address; empty on a unix socket. */
  readonly remoteAddress: string
  /** The peer's port; 0 on a unix socket. */
  readonly remotePort: number
  /** When it was accepted, in milliseconds since 1970. */
  readonly connectedAt: number
  /** The user that `bind` gave it. */
  readonly uid: string | undefined
  /** Yours: any plain data. It is structured-cloned when the connection moves to another worker. */
  data: Record<string, unknown>
  /** Bytes received and sent so far, framing included. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Bytes that were sent but have not left this process. */
  readonly bufferedBytes: number
  /** What the TLS handshake has found out: versions, the server name, the client's certificate. Undefined on a connection without TLS. */
  readonly tls: TlsInfo | undefined
  /** False from the moment when `close` or `destroy` was called or the peer has gone. */
  readonly isOpen: boolean

  /**
   * Sends one message, framed by the port: an EOF or a length header is added, a WebSocket frame is built. All that is
   * sent to a connection within one turn of the event loop leaves in one system call.
   * @returns false, and nothing is sent, once the connection is closed or when its send buffer is full. Never throws for these.
   */
  send(message: Message): boolean
  /**
   * Writes raw bytes without framing. TCP only.
   * @throws TypeError on a WebSocket
   */
  write(bytes: Message): boolean
  /**
   * Closes after everything that was sent, and `last` behind it, has left.
   * @param frame on a WebSocket, the code and reason that the client is told; TCP has no words for them
   * @throws RangeError for a code or reason that may not be sent, and TypeError for a `last` that is neither text nor bytes: it stays open then;
   * what the framing says of a `last` that it cannot frame: it closes without it
   */
  close(last?: Message, frame?: CloseFrame): void
  /** Closes at once; what has not left is lost. */
  destroy(): void
  /**
   * Makes it a member of a group, which is there as long as it has a member. Nothing happens once the connection is closed.
   * @throws RangeError for a name that is empty, longer than 400 bytes or not well-formed
   */
  join(group: string): void
  /** Ends its membership, if it has one. That of a connection which closes ends by itself. */
  leave(group: string): void
  /**
   * Makes this a connection of user `uid`, until it closes. A later call replaces the user.
   * @throws RangeError for a uid that is empty, longer than 400 bytes or not well-formed
   */
  bind(uid: string): void
  /** Stops reading until `resume`. Messages already read may still arrive. */
  pause(): void
  /** Reads again; what else keeps the connection from being read, a full send buffer for one, still does. */
  resume(): void
}

/** What any process can learn of any connection. */
export interface ConnectionInfo {
  readonly fd: number
  readonly port: string
  readonly protocol: 'tcp' | 'websocket'
  /** Empty on a unix socket, and the port 0. */
  readonly remoteAddress: string
  readonly remotePort: number
  /** When it was accepted, in milliseconds since 1970. */
  readonly connectedAt: number
  readonly uid: string | undefined
  readonly groups: readonly string[]
  /** The slot of the worker that owns it. */
  readonly worker: number
}

export type { CloseReason }
