import type { DeflateConfig } from '../config/compression-schema.ts'
import { messageLength } from '../framing/message-length.ts'
import type { SocketConnection } from './connection.ts'
import { FIN_BINARY, FIN_TEXT, webSocketWire } from './websocket-wire.ts'
import type { Wire } from './wire.ts'

// RFC 7692 section 6: the first reserved bit says that a message is compressed.
const RSV1 = 0x40
// RFC 7692 section 7.2.1: an empty block ends what is sent, and is left out.
const TRAILER_BYTES = 4
// Compressing takes about 20 ms a MiB, in which no other connection is served.
const MAX_BYTES = 1024 * 1024
// zlib cannot make a window of 2^8.
const MIN_WINDOW_BITS = 9

/**
 * WebSocket with permessage-deflate (RFC 7692). Each message is compressed by itself, at once: so a compressed frame is like any other,
 * it keeps its place before what is sent later, is built once for all receivers of a `publish`, and no connection holds a compressor
 * (256 KiB). What is short, long, or does not shrink is sent as it is, which the extension allows for each message.
 */
export class DeflateWire implements Wire {
  readonly protocol = 'websocket'
  readonly overhead = webSocketWire.overhead
  readonly onOpen = 'onOpen'
  readonly onMessage = 'onMessage'
  readonly endsOnFailure = true
  readonly #zlib = process.getBuiltinModule('node:zlib')
  readonly #settings: DeflateConfig
  readonly #windowBits: number
  // What `encode` has made of a message, for `encodeInto`, which is called next.
  #compressed: Uint8Array | undefined
  #isText = false

  constructor(settings: DeflateConfig, windowBits: number) {
    this.#settings = settings
    this.#windowBits = windowBits
  }

  readonly encode = (message: string | Uint8Array): string | Uint8Array => {
    const isText = typeof message === 'string'
    const bytes = messageLength(message)
    const { threshold, level, memLevel } = this.#settings
    if (bytes < threshold || bytes > MAX_BYTES || this.#windowBits < MIN_WINDOW_BITS) return message
    const { constants, deflateRawSync } = this.#zlib
    const whole = deflateRawSync(message, { level, memLevel, windowBits: this.#windowBits, finishFlush: constants.Z_SYNC_FLUSH })
    if (whole.length - TRAILER_BYTES >= bytes) return message
    this.#isText = isText
    this.#compressed = whole.subarray(0, -TRAILER_BYTES)
    return this.#compressed
  }

  encodeInto(target: Buffer, offset: number, message: string | Uint8Array, byteLength: number): number {
    if (message !== this.#compressed) return webSocketWire.encodeInto(target, offset, message, byteLength)
    this.#compressed = undefined
    const length = webSocketWire.encodeInto(target, offset, message, byteLength)
    // It was framed as the bytes that it is now.
    target[offset] = (this.#isText ? FIN_TEXT : FIN_BINARY) | RSV1
    return length
  }

  end(connection: SocketConnection): void {
    webSocketWire.end(connection)
  }
}
