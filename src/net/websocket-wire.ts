import type { WebSocket } from 'ws'
import type { CloseFrame } from '../contracts/close-frame.ts'
import type { CloseReason } from '../contracts/close-reason.ts'
import { checkCloseFrame } from './close-frame.ts'
import type { SocketConnection } from './connection.ts'
import type { Wire } from './wire.ts'

// RFC 6455 section 5.2.
const FIN = 0x80
const TEXT = 0x01
const BINARY = 0x02
const PING_CODE = 0x09
const PONG = 0x0a

/** The first byte of a message in one frame. */
export const FIN_TEXT = FIN | TEXT
export const FIN_BINARY = FIN | BINARY

const LENGTH_16 = 126
const LENGTH_64 = 127

// RFC 6455 section 7.4.1.
const CLOSE_CODES: Readonly<Partial<Record<CloseReason, number>>> = {
  server: 1000,
  client: 1000,
  shutdown: 1001,
  frame_too_long: 1009,
  rate: 1008,
  error: 1011,
}

// Registered with IANA after the RFC: the client may connect again.
const SERVICE_RESTART = 1012

/** WebSocket: each message leaves as one unmasked frame. One object serves every WebSocket port, so that a frame is built once for all. */
class WebSocketWire implements Wire {
  readonly protocol = 'websocket'
  readonly overhead = 10
  readonly onOpen = 'onOpen'
  readonly onMessage = 'onMessage'
  readonly endsOnFailure = true
  /** Only of those that are closed with one. */
  readonly #frames = new WeakMap<SocketConnection, CloseFrame>()

  encodeInto(target: Buffer, offset: number, message: string | Uint8Array, byteLength: number): number {
    const isText = typeof message === 'string'
    target[offset] = isText ? FIN_TEXT : FIN_BINARY
    let body = offset + 2
    if (byteLength < LENGTH_16) target[offset + 1] = byteLength
    else if (byteLength <= 0xffff) {
      target[offset + 1] = LENGTH_16
      body = target.writeUInt16BE(byteLength, body)
    } else {
      target[offset + 1] = LENGTH_64
      body = target.writeUInt32BE(Math.floor(byteLength / 0x1_0000_0000), body)
      body = target.writeUInt32BE(byteLength >>> 0, body)
    }
    if (isText) target.write(message, body)
    else target.set(message, body)
    return body - offset + byteLength
  }

  closeWith(connection: SocketConnection, frame: CloseFrame): void {
    this.#frames.set(connection, checkCloseFrame(frame))
  }

  /** The client may come back at once: its worker is being replaced. */
  closeForRestart(connection: SocketConnection): void {
    this.#frames.set(connection, { code: SERVICE_RESTART })
  }

  end(connection: SocketConnection): void {
    const socket = connection.link as WebSocket
    // The answer to our close frame must be read.
    socket.resume()
    const frame = this.#frames.get(connection)
    socket.close(frame?.code ?? CLOSE_CODES[connection.reason ?? 'server'], frame?.reason)
  }
}

/** Asks whether the client is there. */
export const PING: Buffer = Buffer.from([FIN | PING_CODE, 0])

/** The answer to a ping. A control frame has at most 125 bytes (RFC 6455 section 5.5). */
export function pongFrame(data: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(2 + data.length)
  frame[0] = FIN | PONG
  frame[1] = data.length
  frame.set(data, 2)
  return frame
}

export const webSocketWire: WebSocketWire = new WebSocketWire()
