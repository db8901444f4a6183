import type { Socket } from 'node:net'
import { WebSocket, type WebSocketServer } from 'ws'

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

interface Internals {
  _receiver: Receiver
  _protocol: string
  setSocket(socket: Socket, head: Buffer, options: object): void
}

/** Where a WebSocket is in the bytes that it has received. Plain data. */
export interface ReaderState {
  readonly protocol: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** Undefined while it cannot be told: `ws` still works on what it has read. */
export function readerState(webSocket: WebSocket): ReaderState | undefined {
  const { _receiver: receiver, _protocol: protocol } = webSocket as unknown as Internals
  if (receiver.writableLength > 0 || receiver._loop === true || receiver._errored === true || webSocket.extensions !== '') return undefined
  return { protocol, fields: Object.fromEntries(RECEIVER_FIELDS.map((name) => [name, receiver[name]])) }
}

/** A WebSocket in the middle of its life, on a socket that is not read yet. `resume()` lets it go on. */
export function restoreWebSocket(server: WebSocketServer, socket: Socket, { protocol, fields }: ReaderState): WebSocket {
  const { options } = server
  const webSocket = new WebSocket(null as never, undefined, options as never)
  const internals = webSocket as unknown as Internals
  internals._protocol = protocol
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
