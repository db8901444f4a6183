/** dgram-stream 0.2.0 has no types of its own. */
declare module 'dgram-stream' {
  import type { RemoteInfo, Socket } from 'node:dgram'
  import type { Duplex } from 'node:stream'

  /** What is written. */
  export interface OutgoingPacket {
    to: { address: string; port: number }
    payload: Buffer
  }
  /** What is read. */
  export interface IncomingPacket {
    from: RemoteInfo
    payload: Buffer
  }
  export interface DgramDuplex extends Duplex {
    readonly sock: Socket
  }
  export default function dgramStream(socket: Socket): DgramDuplex
}
