import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { buffersPassed } from '../ipc/young-buffers.ts'
import type { SocketConnection } from './connection.ts'
import type { Port } from './port.ts'
import { reasonOf } from './socket-error.ts'
import { pongFrame } from './websocket-wire.ts'

/** Told before and after the bytes of one read are looked at. */
export interface ReadObserver {
  reading(connection: SocketConnection | null): void
}

export interface PolyportWebSocket extends WebSocket {
  polyport: SocketConnection
}

export interface PolyportSocket extends Socket {
  polyport: { readonly connection: SocketConnection; readonly upgrade: ReadObserver; readonly webSocket: WebSocket }
}

/** Wires what `ws` and the socket say to the connection. One listener each for all connections. */
export function listenTo(webSocket: WebSocket, socket: PolyportSocket, port: Port): void {
  const listener = webSocket.extensions === '' ? onMessage : onInflated(port)
  webSocket.on('message', listener as (this: WebSocket, data: unknown, isBinary: boolean) => void)
  webSocket.on('ping', onPing)
  webSocket.on('error', onError)
  webSocket.on('close', onClose)
  socket.on('drain', onDrain)
  readThrough(socket)
}

function onMessage(this: WebSocket, data: Buffer, isBinary: boolean): void {
  connectionOf(this).onMessage(isBinary ? data : data.toString())
}

/** A message that was compressed comes some time after the read that it was in. */
function onInflated(port: Port): typeof onMessage {
  return function (this: WebSocket, data: Buffer, isBinary: boolean): void {
    port.clock = performance.now()
    connectionOf(this).onMessage(isBinary ? data : data.toString())
  }
}

function onPing(this: WebSocket, data: Buffer): void {
  connectionOf(this).sendControl(pongFrame(data))
}

const TOO_LONG = new Set(['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH', 'WS_ERR_TOO_MANY_BUFFERED_PARTS'])

function onError(this: WebSocket, error: Error & { code?: string }): void {
  const { code } = error
  if (code !== undefined && TOO_LONG.has(code)) connectionOf(this).end('frame_too_long')
  // What cannot be inflated is the peer's fault, too.
  else if (code?.startsWith('WS_ERR_') === true || code?.startsWith('Z_') === true) connectionOf(this).end('error')
  else connectionOf(this).abort(reasonOf(error))
}

function onClose(this: WebSocket): void {
  connectionOf(this).onSocketClose()
}

function connectionOf(webSocket: WebSocket): SocketConnection {
  return (webSocket as PolyportWebSocket).polyport
}

function onDrain(this: PolyportSocket): void {
  this.polyport.connection.onSocketDrain()
}

type DataListener = (this: Socket, chunk: Buffer) => void

// ws has one listener for all sockets, so one of ours is enough, too.
let wrapped: DataListener | undefined

/** Puts ourselves around ws's own listener: what the messages of one read are answered with leaves in one write. */
function readThrough(socket: PolyportSocket): void {
  const [original] = socket.listeners('data') as DataListener[]
  if (original === undefined) return
  wrapped ??= around(original)
  socket.off('data', original)
  socket.on('data', wrapped)
}

function around(original: DataListener): DataListener {
  function onData(this: Socket, chunk: Buffer): void {
    const { upgrade, connection } = (this as PolyportSocket).polyport
    buffersPassed(chunk.length)
    upgrade.reading(connection)
    original.call(this, chunk)
    upgrade.reading(null)
  }
  // As the wrappers of once(): when ws takes its listener away, this one goes.
  onData.listener = original
  return onData
}
