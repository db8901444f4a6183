import type { Cutter } from '../framing/frame-reader.ts'
import type { SocketConnection } from './connection.ts'
import { endInGoodOrder } from './socket-end.ts'
import type { Wire } from './wire.ts'

/** TCP: messages leave as the port's framing frames them. */
export class TcpWire implements Wire {
  readonly protocol = 'tcp'
  readonly onOpen = 'onConnect'
  readonly onMessage = 'onReceive'
  readonly endsOnFailure = false
  readonly overhead: number
  readonly encode: Wire['encode']
  readonly #framing: Cutter

  constructor(framing: Cutter) {
    this.#framing = framing
    this.overhead = framing.overhead
    this.encode = framing.encode?.bind(framing)
  }

  encodeInto(target: Buffer, offset: number, message: string | Uint8Array, byteLength: number): number {
    return this.#framing.encodeInto(target, offset, message, byteLength)
  }

  end(connection: SocketConnection): void {
    // What still arrives is read and thrown away until the client has closed too.
    connection.link.resume()
    endInGoodOrder(connection.socket)
  }
}
