import dgram from 'node:dgram'
import dns from 'node:dns/promises'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import dgramStream, { type DgramDuplex, type IncomingPacket } from 'dgram-stream'
import type { Link, Sink } from './connect-link.ts'

// What IPv4 carries in one datagram.
const MAX_DATAGRAM = 65_507
// Answers are only read between turns of the event loop: the socket's buffer must hold those to as many datagrams as leave in one.
const DATAGRAMS_PER_TURN = 16

/** UDP: each message is one datagram. */
export async function openUdp(where: { host: string; port: number }, sink: Sink): Promise<Link> {
  // A port's default host is 127.0.0.1, and UDP has no refusal that would tell of a wrong guess.
  const { address, family } = await dns.lookup(where.host, { order: 'ipv4first' })
  const socket = dgram.createSocket(family === 6 ? 'udp6' : 'udp4')
  const link = new UdpLink(socket, { address: reachable(address), port: where.port }, sink)
  // Before the first answer can come, and so that a failure shows here.
  socket.bind(0)
  await Promise.race([once(socket, 'listening'), link.closed])
  return link
}

/**
 * dgram-stream 0.2.0 is used with care: it does not forward the socket's errors; a failed send wedges it, so the first
 * error ends the talk; its `end()` closes the socket over what is queued and its `destroy()` leaves it open, so only the
 * socket is closed; it does not hold back what arrives, so what stdout cannot take is dropped, as UDP does.
 */
class UdpLink implements Link {
  readonly closed: Promise<void>
  readonly #stream: DgramDuplex
  readonly #to: { address: string; port: number }
  #isClosed = false
  #numSent = 0

  constructor(socket: dgram.Socket, to: { address: string; port: number }, sink: Sink) {
    this.#stream = dgramStream(socket)
    this.#to = to
    this.closed = new Promise((resolve, reject) => {
      socket.on('close', resolve)
      socket.on('error', reject)
      this.#stream.on('error', reject)
    })
    this.#stream.on('data', ({ from, payload }: IncomingPacket) => {
      const isPeer = from.port === to.port && from.address === to.address
      if (isPeer && !sink.isFull) sink.takeMessage(payload)
    })
  }

  async send(message: Buffer): Promise<void> {
    if (message.length > MAX_DATAGRAM) throw new Error(`a datagram holds at most ${MAX_DATAGRAM} bytes, this line has ${message.length}`)
    // Always a Buffer, for which the stream needs no copy; an empty one is a datagram too.
    const sent = new Promise<void>((resolve) => this.#stream.write({ to: this.#to, payload: message }, () => resolve()))
    await Promise.race([sent, this.closed])
    if (++this.#numSent % DATAGRAMS_PER_TURN === 0) await turn()
  }

  /** Every send has been awaited, so nothing is queued. */
  async finish(): Promise<void> {}

  async close(): Promise<void> {
    if (!this.#isClosed) this.#stream.sock.close()
    this.#isClosed = true
  }
}

/** What is sent to "any address" comes back from loopback. */
function reachable(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1'
  return address === '::' ? '::1' : address
}
