import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { CloseReason } from './close-reason.ts'
import type { Connection } from './connection.ts'
import type { Daemon, PortInfo } from './daemon.ts'
import type { Logger } from './logger.ts'
import type { Peer } from './peer.ts'
import type { TlsInfo } from './tls-info.ts'

/** Marks a handler class with its protocol: also one that extends the class of another copy of this package is known by it. */
export const HANDLER_PROTOCOL: unique symbol = Symbol.for('polyport.handler')

/**
 * What every handler has. One instance per worker and port; made before the port opens, with no arguments. The members
 * are there in `onStart` and later, not in the constructor.
 */
export abstract class Handler {
  /** The door to every connection of every worker, users, groups and tables. */
  declare readonly daemon: Daemon
  /** The port that this instance serves. */
  declare readonly port: PortInfo
  /** `ports[].options` of the config. */
  declare readonly options: Record<string, unknown>
  /** A logger that names the port. */
  declare readonly log: Logger

  /** Called once per worker before the port opens. Awaited; a throw fails the start. */
  onStart?(): void | Promise<void>
  /** Called once per worker after the last connection has closed. Awaited. */
  onStop?(): void | Promise<void>
}

/**
 * A TCP or unix stream port with framing. Callbacks of one connection come in order; when one returns a promise, the
 * next message of that connection waits for it. What a callback throws is logged and counted, and ends nothing else.
 */
export abstract class TcpHandler extends Handler {
  static readonly [HANDLER_PROTOCOL]: string = 'tcp'

  /** Called when a client has connected, before anything is read from it. */
  onConnect?(connection: Connection): void | Promise<void>
  /** Called in place of `onConnect` for a connection that this worker takes over from another, in a reload. `connection.data` is what it was there. */
  onHandover?(connection: Connection): void | Promise<void>
  /** Called once per frame. `message` is the frame without its EOF or length; it is yours to keep. */
  abstract onReceive(connection: Connection, message: Buffer): void | Promise<void>
  /** Called when everything that `send` had to hold back has left. */
  onDrain?(connection: Connection): void
  /** Called exactly once for every `onConnect`, after the last message. `send` now returns false. */
  onClose?(connection: Connection, reason: CloseReason): void | Promise<void>
}

/** A UDP port, or a unix datagram socket. */
export abstract class UdpHandler extends Handler {
  static readonly [HANDLER_PROTOCOL]: string = 'udp'

  /** Called once per datagram; `packet` is yours to keep. A promise is not waited for: datagrams have no order. */
  abstract onPacket(packet: Buffer, peer: Peer): void | Promise<void>
}

/** An HTTP port. */
export abstract class HttpHandler extends Handler {
  static readonly [HANDLER_PROTOCOL]: string = 'http'

  /** Called once per request with Node's own objects. A throw or rejection is answered with 500. */
  abstract onRequest(request: IncomingMessage, response: ServerResponse): void | Promise<void>
}

/** How an upgrade is answered: nothing or true accepts, false refuses with 403. */
export type UpgradeAnswer =
  | undefined
  | boolean
  | { status: number; body?: string }
  | { uid?: string; groups?: readonly string[]; data?: Record<string, unknown>; protocol?: string }

/** A WebSocket port, or the WebSocket path of an HTTP port. */
export abstract class WebSocketHandler extends Handler {
  static readonly [HANDLER_PROTOCOL]: string = 'websocket'

  /**
   * Called for each upgrade request, before it is answered. Return false or `{ status, body }` to refuse, or
   * `{ uid, groups, data, protocol }` to accept as somebody; `protocol` chooses one of the subprotocols offered. A throw, a rejection, or an
   * answer that is none of these is answered with 500: also a uid or group that is empty or longer than 400 bytes.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing accepts
  onUpgrade?(request: IncomingMessage): UpgradeAnswer | void | Promise<UpgradeAnswer | void>
  /** Called when the connection is open. */
  onOpen?(connection: Connection, request: IncomingMessage): void | Promise<void>
  /** Called in place of `onOpen` for a connection that this worker takes over from another, in a reload. `connection.data` is what it was there. */
  onHandover?(connection: Connection): void | Promise<void>
  /** Called once per message: text as a string, binary as a Buffer, both yours to keep. */
  abstract onMessage(connection: Connection, message: string | Buffer): void | Promise<void>
  onDrain?(connection: Connection): void
  /** Called exactly once for every `onOpen`, after the last message. */
  onClose?(connection: Connection, reason: CloseReason): void | Promise<void>
}

/** Who is at the other end of a raw stream. */
export interface StreamInfo {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly port: string
  /** What the TLS handshake has found out; undefined without TLS. */
  readonly tls: TlsInfo | undefined
}

/** A port that hands out the raw duplex, for another library to speak its protocol on. */
export abstract class StreamHandler extends Handler {
  static readonly [HANDLER_PROTOCOL]: string = 'stream'

  /** Called for each client. The stream is yours: read it, write it, end it. */
  abstract onStream(stream: Duplex, info: StreamInfo): void | Promise<void>
}
