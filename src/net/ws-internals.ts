import type { IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { PerMessageDeflateOptions, ServerOptions, WebSocket, WebSocketServer } from 'ws'
import type { DeflateConfig } from '../config/compression-schema.ts'
import { withLate } from '../modules/late-module.ts'
import { boundDiscarded } from './socket-end.ts'

/**
 * The only file that touches what `ws` does not document: how far its receiver has read, and how a WebSocket is put on a socket
 * whose handshake was long ago. `test/net/ws-internals.test.ts` says which names it relies on.
 */

// All that a receiver knows of the frame and the message that it is in the middle of.
const RECEIVER_FIELDS = [
  '_bufferedBytes',
  '_buffers',
  '_compressed',
  '_payloadLength',
  '_mask',
  '_fragmented',
  '_masked',
  '_fin',
  '_opcode',
  '_totalPayloadLength',
  '_messageLength',
  '_numFragments',
  '_fragments',
  '_state',
] as const

type Receiver = Record<(typeof RECEIVER_FIELDS)[number] | '_loop' | '_errored', unknown> & { readonly writableLength: number }

/** What was agreed on for permessage-deflate (RFC 7692 section 7.1). */
export interface DeflateParams {
  readonly server_max_window_bits?: number
  readonly client_max_window_bits?: number
  readonly client_no_context_takeover?: boolean
}

interface Deflate {
  params: DeflateParams
}

const EXTENSION = 'permessage-deflate'

// For a client, for compression, and for the first handshake: 10 MiB of a process that waits.
const LATE = ['crypto', 'https', 'tls', 'zlib']

// Exported by ws, and not in @types/ws.
interface Undeclared {
  readonly PerMessageDeflate: new (options: object) => Deflate & { accept(offers: unknown): unknown }
  readonly extension: { parse(header: string): Record<string, unknown> }
}

let loaded: (typeof import('ws') & Undeclared) | undefined

/** Only where a port has WebSockets: with what it needs of Node it is 25 ms of a start. */
function ws(): typeof import('ws') & Undeclared {
  loaded ??= withLate(LATE, () => createRequire(import.meta.url)('ws') as typeof import('ws') & Undeclared)
  return loaded
}

let bounded: typeof WebSocket | undefined

/**
 * A WebSocket that reads on when it closes, as it must to find the client's close frame, but not without end. `ws` closes by itself, too: when the
 * client does, and when it finds fault with what it has read. Then whatever comes is thrown away.
 */
function boundedWebSocket(): typeof WebSocket {
  bounded ??= class extends ws().WebSocket {
    override close(...frame: Parameters<WebSocket['close']>): void {
      const isFirst = this.readyState === this.OPEN
      const internals = this as unknown as Internals
      if (isFirst) internals.polyport?.beforeCloseFrame({ isAnswer: internals._closeFrameReceived })
      super.close(...frame)
      if (isFirst) boundDiscarded(internals._socket, () => this.pause())
    }
  }
  return bounded
}

export function createWebSocketServer(options: ServerOptions): WebSocketServer {
  return new (ws().WebSocketServer)({ ...options, WebSocket: boundedWebSocket() })
}

interface Internals {
  _extensions: Record<string, Deflate>
  _receiver: Receiver
  _protocol: string
  readonly _socket: Socket
  readonly _closeFrameReceived: boolean
  /** The connection that it is the WebSocket of. */
  readonly polyport?: { beforeCloseFrame(frame: { readonly isAnswer: boolean }): void }
  setSocket(socket: Socket, head: Buffer, options: object): void
}

// The state of a receiver that waits for a decompressor, or to tell of what it has decompressed.
const INFLATING = 5

/** Where a WebSocket is in the bytes that it has received. Plain data. */
export interface ReaderState {
  readonly protocol: string
  /** When messages may be compressed. */
  readonly deflate: DeflateParams | undefined
  readonly fields: Readonly<Record<string, unknown>>
}

/** What `ws` answers to an offer. */
export function negotiation({
  serverNoContextTakeover,
  clientNoContextTakeover,
  serverMaxWindowBits,
  clientMaxWindowBits,
}: DeflateConfig): PerMessageDeflateOptions {
  return {
    // With false it would refuse a client that asks for it.
    ...(serverNoContextTakeover && { serverNoContextTakeover }),
    ...(clientNoContextTakeover && { clientNoContextTakeover }),
    ...(serverMaxWindowBits !== undefined && { serverMaxWindowBits }),
    ...(clientMaxWindowBits !== undefined && { clientMaxWindowBits }),
  }
}

/** Whether a client's offer of compression can be read and agreed on. */
export function canDeflate({ options: { perMessageDeflate } }: WebSocketServer, { headers }: IncomingMessage): boolean {
  if (perMessageDeflate === false || perMessageDeflate === undefined) return false
  try {
    const { extension, PerMessageDeflate } = ws()
    const offers = extension.parse(headers['sec-websocket-extensions'] ?? '')[EXTENSION]
    if (offers === undefined) return false
    new PerMessageDeflate({ ...(perMessageDeflate as object), isServer: true }).accept(offers)
    return true
  } catch {
    // Then it is declined.
    return false
  }
}

/** Undefined when no message may be compressed. */
export function deflateParams(webSocket: WebSocket): DeflateParams | undefined {
  return (webSocket as unknown as Internals)._extensions[EXTENSION]?.params
}

/** Undefined while it cannot be told: `ws` still works on what it has read. */
export function readerState(webSocket: WebSocket): ReaderState | undefined {
  const { _receiver: receiver, _protocol: protocol } = webSocket as unknown as Internals
  if (receiver.writableLength > 0 || receiver._loop === true || receiver._errored === true || Number(receiver._state) >= INFLATING) return undefined
  const deflate = deflateParams(webSocket)
  // What a decompressor remembers cannot be taken along.
  if (deflate !== undefined && (deflate.client_no_context_takeover !== true || (receiver._compressed === true && receiver._fragmented !== 0))) return undefined
  return { protocol, deflate: deflate && { ...deflate }, fields: Object.fromEntries(RECEIVER_FIELDS.map((name) => [name, receiver[name]])) }
}

/** A WebSocket in the middle of its life, on a socket that is not read yet. `resume()` lets it go on. */
export function restoreWebSocket(server: WebSocketServer, socket: Socket, { protocol, deflate, fields }: ReaderState): WebSocket {
  const { options } = server
  const { PerMessageDeflate } = ws()
  const { WebSocket = boundedWebSocket() } = options
  const webSocket = new WebSocket(null as never, undefined, options as never)
  const internals = webSocket as unknown as Internals
  internals._protocol = protocol
  if (deflate !== undefined) {
    const inflater = new PerMessageDeflate({ isServer: true, maxPayload: options.maxPayload })
    inflater.params = deflate
    internals._extensions[EXTENSION] = inflater
  }
  // Or the listener that ws adds would start to read.
  socket.pause()
  internals.setSocket(socket, Buffer.alloc(0), { ...options, allowSynchronousEvents: true, skipUTF8Validation: false })
  for (const name of RECEIVER_FIELDS) internals._receiver[name] = fields[name]
  // A clone of a Buffer is a plain Uint8Array.
  for (const name of ['_buffers', '_fragments'] as const) internals._receiver[name] = (fields[name] as Uint8Array[]).map(asBuffer)
  if (fields['_mask'] !== undefined) internals._receiver._mask = asBuffer(fields['_mask'] as Uint8Array)
  return webSocket
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
