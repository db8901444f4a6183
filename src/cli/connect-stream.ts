import { once } from 'node:events'
import net from 'node:net'
import type { Link, Sink } from './connect-link.ts'

/** TCP with TLS inside. The server's certificate must come from an authority that Node knows; `NODE_EXTRA_CA_CERTS` names further ones. */
export async function openTls({ host, port }: { host: string; port: number }, sink: Sink): Promise<Link> {
  const tls = await import('node:tls')
  // Of an address no server name is asked for (RFC 6066 section 3).
  const socket = tls.connect({ host, port, ...(net.isIP(host) === 0 && { servername: host }), ...({ allowHalfOpen: true } as object) })
  await once(socket, 'secureConnect')
  return new StreamLink(socket, sink)
}

/** A TCP or unix stream. */
export async function openStream(where: { host: string; port: number } | { path: string }, sink: Sink): Promise<Link> {
  // The peer's end must not cut off what is still to be sent, nor ours what is still to come.
  const socket = net.connect({ ...where, allowHalfOpen: true })
  await once(socket, 'connect')
  return new StreamLink(socket, sink)
}

class StreamLink implements Link {
  readonly closed: Promise<void>
  readonly #socket: net.Socket

  constructor(socket: net.Socket, sink: Sink) {
    this.#socket = socket
    this.closed = new Promise((resolve, reject) => {
      socket.on('end', resolve)
      socket.on('close', resolve)
      socket.on('error', reject)
    })
    socket.on('data', (chunk: Buffer) => {
      if (sink.take(chunk)) return
      socket.pause()
      void sink.drained().then(() => socket.resume())
    })
  }

  async send(message: Buffer): Promise<void> {
    if (this.#socket.write(message)) return
    // Also when the peer goes away meanwhile.
    await Promise.race([new Promise((resolve) => this.#socket.once('drain', resolve)), this.closed])
  }

  async finish(): Promise<void> {
    this.#socket.end()
  }

  async close(): Promise<void> {
    this.#socket.destroySoon()
  }
}
