import type { CloseFrame } from '../contracts/close-frame.ts'
import { checkMessage, messageLength } from '../framing/message-length.ts'
import type { SocketConnection } from './connection.ts'

/** How a kind of connection puts messages on the socket and ends. One object for all connections of a port. */
export interface Wire {
  readonly protocol: 'tcp' | 'websocket'
  /** Bytes that a frame is longer than its message at most. */
  readonly overhead: number
  /** The handler's callbacks of this protocol. */
  readonly onOpen: 'onConnect' | 'onOpen'
  readonly onMessage: 'onReceive' | 'onMessage'
  /** Turns a message into what `encodeInto` is given, at once after this, where that cannot be done in place (custom framing, compression). */
  readonly encode?: ((message: string | Uint8Array) => string | Uint8Array) | undefined
  /**
   * Frames a message into `target`, which has room for `byteLength + overhead` bytes from `offset` on.
   * @returns the bytes written
   */
  encodeInto(target: Buffer, offset: number, message: string | Uint8Array, byteLength: number): number
  /** Has `end` tell the client why, where the protocol can. @throws RangeError */
  closeWith?(connection: SocketConnection, frame: CloseFrame): void
  /** Ends the connection in the protocol's way; everything sent has been written to the socket before. */
  end(connection: SocketConnection): void
  /** Whether a handler that throws ends its connection. */
  readonly endsOnFailure: boolean
}

/** Frames a message into bytes of its own, for many connections to share. @throws what the framing says of a message that it cannot frame */
export function encode(wire: Wire, unframed: string | Uint8Array): Buffer {
  checkMessage(unframed)
  const message = wire.encode === undefined ? unframed : wire.encode(unframed)
  const byteLength = messageLength(message)
  const target = Buffer.allocUnsafe(byteLength + wire.overhead)
  const length = wire.encodeInto(target, 0, message, byteLength)
  return length === target.length ? target : target.subarray(0, length)
}
