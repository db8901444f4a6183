import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Logger } from '../contracts/logger.ts'
import { decodeBusMessage, encodeBusMessage } from './bus-codec.ts'
import type { BusMessage, BusPeer } from './messages.ts'

// A worker that takes nothing for this long a backlog is stuck; its messages are dropped rather than kept for ever.
const BACKLOG_BYTES = 64 * 1024 * 1024
const LENGTH_BYTES = 4

/** One worker as this one reaches it. What is sent in one turn of the event loop leaves in one write. */
class BusLink {
  readonly #socket: Socket
  readonly #log: Logger
  #waiting: Buffer[] = []
  #isDropping = false
  readonly #flush = (): void => this.flush()

  constructor(path: string, log: Logger) {
    this.#log = log
    this.#socket = connect(path)
    // A worker that has died: the master says so soon, and its connections went with it.
    this.#socket.on('error', (error) => log.debug({ err: error }, 'Bus link ended'))
    this.#socket.unref()
  }

  send(bytes: Buffer): void {
    if (this.#socket.writableLength > BACKLOG_BYTES) {
      if (!this.#isDropping) this.#log.warn('Another worker does not take its bus messages: dropping them')
      this.#isDropping = true
      return
    }
    this.#isDropping = false
    if (this.#waiting.length === 0) setImmediate(this.#flush)
    const length = Buffer.allocUnsafe(LENGTH_BYTES)
    length.writeUInt32LE(bytes.length)
    this.#waiting.push(length, bytes)
  }

  flush(): void {
    if (this.#waiting.length > 0 && !this.#socket.destroyed) this.#socket.write(Buffer.concat(this.#waiting))
    this.#waiting = []
  }

  close(): void {
    this.flush()
    this.#socket.end()
  }
}

/** Worker to worker, each straight to each other over unix sockets: the master carries no traffic. In order between two workers. */
export class Bus {
  readonly #path: string
  readonly #owner: number
  readonly #onMessage: (message: BusMessage) => void
  readonly #log: Logger
  readonly #links = new Map<number, BusLink>()
  readonly #incoming = new Set<Socket>()
  #server: Server | undefined

  constructor(parts: { path: string; owner: number; onMessage: (message: BusMessage) => void; log: Logger }) {
    this.#path = parts.path
    this.#owner = parts.owner
    this.#onMessage = parts.onMessage
    this.#log = parts.log
  }

  /** @throws what listen(2) says of the path */
  async start(): Promise<void> {
    const server = createServer((socket) => this.#receive(socket))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#path, resolve)
    })
    server.unref()
  }

  stop(): void {
    this.#server?.close()
    for (const socket of this.#incoming) socket.destroy()
    for (const link of this.#links.values()) link.close()
    this.#links.clear()
  }

  /** The workers that live now, this one among them. */
  setPeers(peers: readonly BusPeer[]): void {
    const owners = new Set(peers.map((peer) => peer.owner))
    for (const [owner, link] of this.#links) {
      if (owners.has(owner)) continue
      link.close()
      this.#links.delete(owner)
    }
    for (const { owner, bus } of peers) if (owner !== this.#owner && !this.#links.has(owner)) this.#links.set(owner, new BusLink(bus, this.#log))
  }

  /** @returns false when there is no such worker (any more) */
  send(owner: number, message: BusMessage): boolean {
    const link = this.#links.get(owner)
    link?.send(encodeBusMessage(message))
    return link !== undefined
  }

  /** To every other worker; encoded once. */
  sendToAll(message: BusMessage): void {
    if (this.#links.size === 0) return
    const bytes = encodeBusMessage(message)
    for (const link of this.#links.values()) link.send(bytes)
  }

  #receive(socket: Socket): void {
    this.#incoming.add(socket)
    socket.unref()
    let rest: Buffer = Buffer.alloc(0)
    socket.on('error', (error) => this.#log.debug({ err: error }, 'Bus link ended'))
    socket.on('close', () => this.#incoming.delete(socket))
    socket.on('data', (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      rest = rest.subarray(this.#take(rest))
    })
  }

  /** Hands on every whole message and returns how many bytes they were. */
  #take(bytes: Buffer): number {
    let at = 0
    while (bytes.length - at >= LENGTH_BYTES) {
      const end = at + LENGTH_BYTES + bytes.readUInt32LE(at)
      if (end > bytes.length) break
      this.#onMessage(decodeBusMessage(bytes.subarray(at + LENGTH_BYTES, end)))
      at = end
    }
    return at
  }
}
