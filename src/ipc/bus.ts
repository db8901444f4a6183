import { createServer, type Server, type Socket } from 'node:net'
import type { Logger } from '../contracts/logger.ts'
import { decodeBusMessage, encodeBusMessage } from './bus-codec.ts'
import { BusLink } from './bus-link.ts'
import { BusPressure } from './bus-pressure.ts'
import { BusReader } from './bus-reader.ts'
import { forgetLongGone } from './long-gone.ts'
import type { BusMessage, BusOrigin, BusPeer } from './messages.ts'
import { buffersPassed } from './young-buffers.ts'

// What an heir remembers at most, for connections that take long to come.
const MEMORY_BYTES = 128 * 1024 * 1024
// What remembering a message takes besides its payload: measured with short ones.
const REMEMBERED_BYTES = 400

// When a link is tried again that has ended while its process is said to live.
const AGAIN_MS = 100

export interface BusParts {
  /** The unix socket to listen on. */
  readonly path: string
  readonly owner: number
  readonly log: Logger
  readonly onMessage: (message: BusMessage, origin: BusOrigin) => void
}

/**
 * Process to process, each straight to each other over unix sockets: the master carries no traffic. In order between two of them; every message
 * carries its sender's number and how many that one has sent, by which a hand-over finds what a moving connection has had already.
 */
export class Bus {
  /** Holds back who sends more than another process takes. */
  readonly pressure: BusPressure = new BusPressure(() => this.#links.values())
  /** Messages that were dropped as a process did not take what was sent to it. */
  dropped = 0
  readonly #parts: BusParts
  readonly #links = new Map<number, BusLink>()
  /** Those of the links that lead to workers: they alone have connections. */
  #workers: readonly BusLink[] = []
  /** Owner → the owners that its messages go to, itself among them. Only of those that have heirs. */
  readonly #heirs = new Map<number, readonly number[]>()
  readonly #incoming = new Set<Socket>()
  /** Owner → the last of its messages that was handled here. */
  readonly #seen = new Map<number, number>()
  /** Owner → the heirs of this worker that it sends to, too, as of what has come from it. */
  readonly #marks = new Map<number, string>()
  #isHeir = false
  #recent: { message: BusMessage; origin: BusOrigin }[] = []
  #recentBytes = 0
  #sequence = 0
  #server: Server | undefined

  constructor(parts: BusParts) {
    this.#parts = parts
  }

  /** @throws what listen(2) says of the path */
  async start(): Promise<void> {
    const server = createServer((socket) => this.#receive(socket))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#parts.path, resolve)
    })
    server.unref()
  }

  stop(): void {
    this.#server?.close()
    for (const socket of this.#incoming) socket.destroy()
    for (const link of this.#links.values()) link.close()
    this.#links.clear()
  }

  /** The processes that live now, this one among them. */
  setPeers(peers: readonly BusPeer[]): void {
    const { owner: self } = this.#parts
    const owners = new Set(peers.map((peer) => peer.owner))
    for (const [owner, link] of this.#links) {
      if (owners.has(owner)) continue
      link.close()
      this.#links.delete(owner)
    }
    forgetLongGone(this.#seen, owners)
    for (const owner of this.#marks.keys()) if (!owners.has(owner)) this.#marks.delete(owner)
    const before = new Map(this.#heirs)
    this.#heirs.clear()
    this.#isHeir = false
    for (const { owner, bus, heirs } of peers) {
      if (owner !== self && !this.#links.has(owner)) this.#links.set(owner, this.#linkTo(owner, bus))
      if (heirs.length > 0) this.#heirs.set(owner, [owner, ...heirs])
      if (heirs.includes(self)) this.#isHeir = true
    }
    for (const [owner, now] of this.#heirs) if (owner !== self && now.join() !== before.get(owner)?.join()) this.#mark(owner, now.slice(1))
    this.#workers = peers.flatMap(({ role, owner }) => (role === 'worker' ? (this.#links.get(owner) ?? []) : []))
    if (this.#isHeir) return
    this.#recent = []
    this.#recentBytes = 0
  }

  /** Behind all that this process has sent to that one alone. */
  #mark(owner: number, heirs: readonly number[]): void {
    this.tell(owner, { kind: 'marked', fd: 0, name: heirs.join(), except: [], payload: undefined })
  }

  /** Whether all that others have sent to this worker alone, before they knew of these heirs, has been handled. */
  isMarked(heirs: readonly number[]): boolean {
    const name = heirs.join()
    return Array.from(this.#links.keys()).every((owner) => this.#marks.get(owner) === name)
  }

  /** Has every other worker say `passed` when it has handled all that was sent to it so far. @returns who will */
  fence(id: number): Set<number> {
    const asked = new Set<number>()
    for (const [owner, link] of this.#links) if (this.#workers.includes(link)) asked.add(owner)
    for (const owner of asked) this.tell(owner, { kind: 'fence', fd: id, name: '', except: [], payload: undefined })
    return asked
  }

  #linkTo(owner: number, path: string): BusLink {
    return new BusLink({
      path,
      log: this.#parts.log,
      pressure: this.pressure,
      onDropped: () => this.dropped++,
      onEnded: (link) => void setTimeout(() => this.#linkAgain(owner, path, link), AGAIN_MS).unref(),
    })
  }

  /** The master has not told that the process is gone: this one may have had no descriptor for the link. */
  #linkAgain(owner: number, path: string, ended: BusLink): void {
    if (this.#links.get(owner) !== ended) return
    const link = this.#linkTo(owner, path)
    this.#links.set(owner, link)
    this.#workers = this.#workers.map((one) => (one === ended ? link : one))
  }

  /** While connections are to come to this worker: all that was sent since, for those that have not had it. Otherwise empty. */
  get recent(): readonly { readonly message: BusMessage; readonly origin: BusOrigin }[] {
    return this.#recent
  }

  has(owner: number): boolean {
    return this.#links.has(owner)
  }

  /** The last message of each worker that was handled here, and of this worker's own the last that it sent. */
  seen(): Map<number, number> {
    return new Map(this.#seen).set(this.#parts.owner, this.#sequence)
  }

  /** @returns false when there is no such worker (any more) */
  send(owner: number, message: BusMessage): boolean {
    const { owner: self } = this.#parts
    // The connection is on its way here.
    if (owner === self && this.#isHeir) {
      this.#remember(message, { owner: self, sequence: ++this.#sequence })
      return true
    }
    const owners = this.#heirs.get(owner)
    if (owners === undefined) return this.#sendTo(owner, message)
    const origin = { owner: self, sequence: ++this.#sequence }
    const bytes = encodeBusMessage(message, origin)
    for (const one of owners) this.#links.get(one)?.send(bytes)
    if (owners.includes(self)) this.#remember(message, origin)
    return owner === self || this.#links.has(owner)
  }

  /** To this process alone and for certain: hand-over, and what is posted. @returns false when there is no such process (any more) */
  tell(owner: number, message: BusMessage): boolean {
    const link = this.#links.get(owner)
    link?.send(encodeBusMessage(message, { owner: this.#parts.owner, sequence: ++this.#sequence }), { mayDrop: false })
    return link !== undefined
  }

  /** Bytes that wait here for a process that does not take them. */
  backlog(owner: number): number {
    return this.#links.get(owner)?.backlog ?? 0
  }

  /** Whether something waits here for a process that lives: it would be lost with this process. */
  get hasUnsent(): boolean {
    for (const { backlog } of this.#links.values()) if (backlog > 0) return true
    return false
  }

  /** To every other worker; encoded once. */
  sendToAll(message: BusMessage): void {
    if (this.#workers.length === 0) return
    const origin = { owner: this.#parts.owner, sequence: ++this.#sequence }
    const bytes = encodeBusMessage(message, origin)
    for (const link of this.#workers) link.send(bytes)
    this.#remember(message, origin)
  }

  #remember(message: BusMessage, origin: BusOrigin): void {
    if (!this.#isHeir) return
    if (this.#recentBytes > MEMORY_BYTES) return
    this.#recentBytes += REMEMBERED_BYTES + (message.payload?.length ?? 0)
    this.#recent.push({ message, origin })
    if (this.#recentBytes > MEMORY_BYTES) this.#parts.log.warn('A hand-over takes long: connections that still come may miss messages')
  }

  #sendTo(owner: number, message: BusMessage): boolean {
    const link = this.#links.get(owner)
    link?.send(encodeBusMessage(message, { owner: this.#parts.owner, sequence: ++this.#sequence }))
    return link !== undefined
  }

  #receive(socket: Socket): void {
    this.#incoming.add(socket)
    socket.unref()
    const reader = new BusReader()
    socket.on('error', (error) => this.#parts.log.debug({ err: error }, 'Bus link ended'))
    socket.on('close', () => this.#incoming.delete(socket))
    const onBytes = (bytes: Buffer): void => this.#take(bytes)
    socket.on('data', (chunk: Buffer) => {
      buffersPassed(chunk.length)
      reader.push(chunk, onBytes)
    })
  }

  /** What a receiver throws ends nothing: neither this process, nor what comes behind, which the reader would give out twice. */
  #take(bytes: Buffer): void {
    const { log, onMessage } = this.#parts
    const { message, origin } = decodeBusMessage(bytes)
    if (message.kind === 'marked') return void this.#marks.set(origin.owner, message.name)
    if (message.kind === 'fence') return void this.tell(origin.owner, { ...message, kind: 'passed' })
    // Before it is handled: what is done in answer to it, a move above all, comes after it.
    this.#seen.set(origin.owner, origin.sequence)
    this.#remember(message, origin)
    try {
      onMessage(message, origin)
    } catch (error) {
      log.error({ err: error, kind: message.kind, from: origin.owner }, 'A message of another process could not be handled')
    }
  }
}
