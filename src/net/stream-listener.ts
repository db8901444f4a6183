import type { OnReadOpts, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { FrameError } from '../errors.ts'
import { type Cutter, FrameReader } from '../framing/frame-reader.ts'
import type { PeerAddress } from './address.ts'
import { SocketConnection } from './connection.ts'
import type { ConnectionContext } from './connection-context.ts'
import type { ConnectionState } from './connection-state.ts'
import type { Connections } from './connections.ts'
import type { Arrival } from './listener.ts'
import { callbacksOf } from './message-rate.ts'
import type { Movable, MovedState } from './movable.ts'
import { type StreamHandle, setPeer, socketFromHandle, streamHandleOf } from './node-internals.ts'
import type { Outbox } from './outbox.ts'
import type { Port } from './port.ts'
import { registered } from './registration.ts'
import { MAX_DISCARDED_BYTES } from './socket-end.ts'
import { reasonOf } from './socket-error.ts'
import { TcpWire } from './tcp-wire.ts'
import type { SecureListener } from './tls-listener.ts'

// As libuv suggests for a read. One buffer for all connections of the worker: a read is framed before the next one begins.
const READ_BYTES = 64 * 1024
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES)

/** A socket of this listener carries its connection and what straddles reads. */
interface StreamSocket extends Socket {
  polyport: { readonly connection: SocketConnection; readonly reader: FrameReader; readonly listener: StreamListener; discarded: number }
}

/** A tcp port: bytes → messages → the handler. */
export class StreamListener implements SecureListener {
  readonly port: Port
  readonly #context: ConnectionContext
  readonly #framing: Cutter

  constructor(parts: { port: Port; framing: Cutter; outbox: Outbox; connections: Connections }) {
    this.port = parts.port
    this.#framing = parts.framing
    const wire = new TcpWire(parts.framing)
    const callbacks = callbacksOf(parts.port, wire)
    parts.port.heartbeat?.watch({
      pausedBy: (socket) => (socket as Partial<StreamSocket>).polyport?.connection.inbox.pausedBy,
      end: (socket) => endSilent((socket as StreamSocket).polyport.connection),
    })
    this.#context = { port: parts.port, wire, outbox: parts.outbox, connections: parts.connections, callbacks }
  }

  adopt(client: StreamHandle, peer: PeerAddress, head?: Buffer): void {
    const socket = socketFromHandle(client, ONREAD) as StreamSocket
    setPeer(socket, peer)
    this.port.enter(socket, peer)
    this.#open(socket, peer, head)
  }

  /** Behind TLS each read has a buffer of its own: Node decrypts into no buffer of ours. */
  secured(socket: TLSSocket, peer: PeerAddress): void {
    socket.on('data', onData)
    this.#open(socket as unknown as StreamSocket, peer)
  }

  #open(socket: StreamSocket, peer: PeerAddress, head?: Buffer): void {
    const connection = registered(this.#context, socket, () => this.#connect(socket, peer))
    if (connection === undefined) return
    const { log } = this.port
    if (log.isLevelEnabled('debug')) log.debug({ fd: connection.fd, remoteAddress: peer.address, remotePort: peer.port }, 'Connection opened')
    const promise = this.#context.callbacks.opened(connection)
    if (promise !== undefined) connection.waitFor(promise)
    if (head !== undefined) this.#push(socket, head, head.length)
    // Starts to read: nothing has been, so onConnect comes before the first message.
    if (connection.isOpen && connection.inbox.pausedBy === 0) socket.read(0)
  }

  #connect(socket: StreamSocket, peer: PeerAddress | ConnectionState): SocketConnection {
    const connection = new SocketConnection(this.#context, socket, socket, peer)
    socket.polyport = { connection, reader: new FrameReader(), listener: this, discarded: 0 }
    socket.on('end', onEnd)
    socket.on('close', onClose)
    socket.on('error', onError)
    socket.on('drain', onDrain)
    return connection
  }

  *movables(): Iterable<Movable> {
    for (const socket of this.port.sockets) {
      const { connection, reader } = (socket as StreamSocket).polyport
      const handle = streamHandleOf(socket)
      if (handle === undefined || !connection.rest()) continue
      yield {
        fd: connection.fd,
        handle,
        standing: this.port.standingOf(socket),
        halt: () => connection.halt(),
        goOn: () => connection.goOn(),
        state: () => (connection.isOpen ? { kind: 'tcp', connection: connection.state(), pending: reader.pending } : undefined),
        letGo: () => connection.letGo(),
      }
    }
  }

  takeOver(client: StreamHandle, state: MovedState, arrival: Arrival): void {
    if (state.kind !== 'tcp') return client.close()
    const socket = socketFromHandle(client, ONREAD) as StreamSocket
    this.port.takeOver(socket, arrival.from, state.connection.remoteAddress)
    const connection = this.#connect(socket, state.connection)
    this.#context.connections.takeOver(connection, arrival.had)
    connection.takeOver(state.connection, () => {
      arrival.replay(connection)
    })
    this.#push(socket, Buffer.from(state.pending), state.pending.length)
    if (state.connection.hasEnded) connection.onPeerEnd()
    if (connection.isOpen && connection.inbox.pausedBy === 0) socket.read(0)
  }

  /** One read of a connection behind TLS. */
  readSecure(socket: StreamSocket, chunk: Buffer): void {
    if (socket.polyport.connection.isOpen) this.#push(socket, chunk, chunk.length)
    else if (!discard(socket, chunk.length)) socket.pause()
  }

  endOne(socket: Socket): void {
    ;(socket as StreamSocket).polyport.connection.end('shutdown')
  }

  /** One read: its messages go to the handler, then what the handler answered leaves in one write. @returns whether to read on */
  read(socket: StreamSocket, length: number): boolean {
    if (!socket.polyport.connection.isOpen) return discard(socket, length)
    this.#push(socket, readBuffer, length)
    return true
  }

  #push(socket: StreamSocket, bytes: Buffer, length: number): void {
    const { connection, reader } = socket.polyport
    if (!connection.isOpen) return
    const { outbox, port } = this.#context
    port.clock = performance.now()
    outbox.reader = connection
    try {
      reader.push(this.#framing, bytes, length, connection)
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      port.log.debug({ fd: connection.fd, reason: error.reason }, error.message)
      connection.end(error.reason)
    }
    connection.flush()
    outbox.reader = null
  }

  stop(): void {
    for (const socket of this.port.sockets) (socket as StreamSocket).polyport.connection.end('shutdown')
  }

  destroy(): void {
    for (const socket of this.port.sockets) socket.destroy()
  }
}

/** @returns whether more is to be read */
function discard({ polyport }: StreamSocket, length: number): boolean {
  polyport.discarded += length
  return polyport.discarded < MAX_DISCARDED_BYTES
}

/** A client that takes nothing any more cannot be waited for. */
function endSilent(connection: SocketConnection): void {
  if (connection.bufferedBytes === 0) connection.end('heartbeat')
  else connection.abort('heartbeat')
}

const ONREAD: OnReadOpts = {
  buffer: readBuffer,
  callback(this: unknown, length: number): boolean {
    const socket = this as StreamSocket
    return socket.polyport.listener.read(socket, length)
  },
}

function onData(this: TLSSocket, chunk: Buffer): void {
  const socket = this as unknown as StreamSocket
  socket.polyport.listener.readSecure(socket, chunk)
}

function onEnd(this: StreamSocket): void {
  this.polyport.connection.onPeerEnd()
}

function onClose(this: StreamSocket): void {
  this.polyport.connection.onSocketClose()
}

function onError(this: StreamSocket, error: Error): void {
  this.polyport.connection.abort(reasonOf(error))
}

function onDrain(this: StreamSocket): void {
  this.polyport.connection.onSocketDrain()
}
