import type { ConnectionInfo, Message } from '../contracts/connection.ts'
import type { Logger } from '../contracts/logger.ts'
import type { SocketConnection } from './connection.ts'
import { encode, type Wire } from './wire.ts'

/** The registry that all workers share, as far as this layer needs it. */
export interface ConnectionRegistry {
  add(info: ConnectionInfo & { owner: number }): void
  /** @throws RangeError for a uid or group that no connection can have */
  checkNames(uid: string | undefined, groups: readonly string[]): void
  remove(fd: number): void
  /** @returns those that are not there */
  move(fds: readonly number[], to: { owner: number; slot: number }): number[]
  bind(fd: number, uid: string): boolean
  join(fd: number, group: string): boolean
  leave(fd: number, group: string): boolean
}

// Where shared memory cannot be written, there may be room again after that time.
const RETRY_MS = 1000

/** The connections of this worker, by fd and by group. Keeps the shared registry true. */
export class Connections {
  readonly #byFd = new Map<number, SocketConnection>()
  readonly #groups = new Map<string, Set<SocketConnection>>()
  readonly #arrived = new Set<SocketConnection>()
  /** Of those, the ones that the registry does not know to be here. */
  readonly #unwritten = new Set<SocketConnection>()
  /** Owner → the latest of its messages that any of them has had. */
  readonly #had = new Map<number, number>()
  readonly #registry: ConnectionRegistry
  readonly #nextFd: () => number
  readonly #owner: number
  readonly #slot: number
  readonly #log: Logger
  #retry: NodeJS.Timeout | undefined

  constructor(parts: { registry: ConnectionRegistry; nextFd: () => number; owner: number; slot: number; log: Logger }) {
    this.#log = parts.log
    this.#registry = parts.registry
    this.#nextFd = parts.nextFd
    this.#owner = parts.owner
    this.#slot = parts.slot
  }

  get size(): number {
    return this.#byFd.size
  }

  nextFd(): number {
    return this.#nextFd()
  }

  get(fd: number): SocketConnection | undefined {
    return this.#byFd.get(fd)
  }

  all(): IterableIterator<SocketConnection> {
    return this.#byFd.values()
  }

  /** @throws RangeError for a uid or group that no connection can have */
  checkNames(uid: string | undefined, groups: readonly string[]): void {
    this.#registry.checkNames(uid, groups)
  }

  /** @throws what shared memory says when it cannot be written: nothing of the connection is kept */
  add(connection: SocketConnection): void {
    this.#register(connection)
    this.#byFd.set(connection.fd, connection)
    for (const group of connection.groups ?? []) this.#enter(connection, group)
  }

  #register(connection: SocketConnection): void {
    this.#registry.add({
      fd: connection.fd,
      owner: this.#owner,
      worker: this.#slot,
      port: connection.port,
      protocol: connection.wire.protocol,
      remoteAddress: connection.remoteAddress,
      remotePort: connection.remotePort,
      connectedAt: connection.connectedAt,
      uid: connection.uid,
      groups: connection.groups === null ? [] : [...connection.groups],
    })
  }

  remove(connection: SocketConnection): void {
    if (!this.#byFd.delete(connection.fd)) return
    this.#arrived.delete(connection)
    this.#unwritten.delete(connection)
    for (const group of connection.groups ?? []) this.#exit(connection, group)
    try {
      this.#registry.remove(connection.fd)
    } catch (error) {
      this.#log.error({ err: error, fd: connection.fd }, 'Shared memory cannot be written: a closed connection is listed until its worker ends')
    }
  }

  /** It is another worker's now, which says so to the registry. */
  letGo(connection: SocketConnection): void {
    this.#byFd.delete(connection.fd)
    this.#unwritten.delete(connection)
    for (const group of connection.groups ?? []) this.#exit(connection, group)
  }

  /** It comes from another worker; `writeArrived` tells the registry. @param had what it has had of each worker's messages */
  takeOver(connection: SocketConnection, had: ReadonlyMap<number, number>): void {
    this.#byFd.set(connection.fd, connection)
    this.#unwritten.add(connection)
    for (const group of connection.groups ?? []) this.#enter(connection, group)
    connection.had = had
    this.#arrived.add(connection)
    for (const [owner, sequence] of had) if (sequence > (this.#had.get(owner) ?? 0)) this.#had.set(owner, sequence)
  }

  /**
   * Tells the registry of all that came, at once: each transaction waits for those of all other workers, which have the same to say. Where shared
   * memory cannot be written they are served all the same, and the registry is told later: until then other processes do not reach them.
   */
  writeArrived(): void {
    if (this.#unwritten.size === 0) return
    try {
      this.#writeArrived()
      this.#unwritten.clear()
    } catch (error) {
      if (this.#retry !== undefined) return
      this.#log.error(
        { err: error, connections: this.#unwritten.size },
        'Shared memory cannot be written: where connections are that were handed over is said later',
      )
      this.#retry = setTimeout(() => {
        this.#retry = undefined
        this.writeArrived()
      }, RETRY_MS).unref()
    }
  }

  #writeArrived(): void {
    const arrived = new Map(Array.from(this.#unwritten, (connection) => [connection.fd, connection]))
    // Not there when the worker that they came from has ended meanwhile.
    for (const fd of this.#registry.move([...arrived.keys()], { owner: this.#owner, slot: this.#slot })) {
      const connection = arrived.get(fd)
      if (connection !== undefined) this.#register(connection)
    }
  }

  /** Of those that came from other workers, the ones that have had this message there. */
  whoHad(owner: number, sequence: number): readonly number[] {
    if (sequence > (this.#had.get(owner) ?? 0)) return NOBODY
    return Array.from(this.#arrived).flatMap(({ fd, had }) => (sequence <= (had?.get(owner) ?? 0) ? [fd] : []))
  }

  /** The hand-over is done: nothing can come twice any more. */
  settle(): void {
    for (const connection of this.#arrived) connection.had = null
    this.#arrived.clear()
    this.#had.clear()
  }

  bind(connection: SocketConnection, uid: string | undefined): void {
    if (uid !== undefined) this.#registry.bind(connection.fd, uid)
    connection.user = uid
  }

  join(connection: SocketConnection, group: string): void {
    this.#registry.join(connection.fd, group)
    this.joined(connection, group)
  }

  leave(connection: SocketConnection, group: string): void {
    this.#registry.leave(connection.fd, group)
    this.left(connection, group)
  }

  /** The registry already says so: another worker, or `join`, has written it. */
  joined(connection: SocketConnection, group: string): void {
    connection.groups ??= new Set()
    connection.groups.add(group)
    this.#enter(connection, group)
  }

  left(connection: SocketConnection, group: string): void {
    connection.groups?.delete(group)
    this.#exit(connection, group)
  }

  /** Sends to this worker's members of a group. The message is framed once for each way of framing. */
  publish(group: string, message: Message, except: readonly number[]): void {
    const members = this.#groups.get(group)
    if (members !== undefined) sendToAll(members, message, except)
  }

  broadcast(message: Message, port: string | undefined, except: readonly number[]): void {
    if (port === undefined) return sendToAll(this.#byFd.values(), message, except)
    const members: SocketConnection[] = []
    for (const connection of this.#byFd.values()) if (connection.port === port) members.push(connection)
    sendToAll(members, message, except)
  }

  #enter(connection: SocketConnection, group: string): void {
    let members = this.#groups.get(group)
    if (members === undefined) this.#groups.set(group, (members = new Set()))
    members.add(connection)
  }

  #exit(connection: SocketConnection, group: string): void {
    const members = this.#groups.get(group)
    if (members?.delete(connection) && members.size === 0) this.#groups.delete(group)
  }
}

const NOBODY: readonly number[] = []

function sendToAll(members: Iterable<SocketConnection>, message: Message, except: readonly number[]): void {
  let wire: Wire | undefined
  let frame: Buffer | null = null
  const frames = new Map<Wire, Buffer | null>()
  for (const member of members) {
    if (except.length > 0 && except.includes(member.fd)) continue
    if (member.wire !== wire) {
      wire = member.wire
      frame = frames.get(wire) ?? null
      if (!frames.has(wire)) frames.set(wire, (frame = encodeFor(member, message)))
    }
    if (frame !== null) member.sendFrame(frame)
  }
}

/** Null when the member's port cannot frame this message: that is reported once, and the other ports' members get theirs. */
function encodeFor(member: SocketConnection, message: Message): Buffer | null {
  try {
    return encode(member.wire, message)
  } catch (error) {
    member.cannotFrame(error)
    return null
  }
}
