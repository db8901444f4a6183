import type { ConnectionInfo } from '../contracts/connection.ts'
import { ConnectionCounts } from './connection-counts.ts'
import { Memberships } from './memberships.ts'
import { newNameBytes } from './name.ts'
import type { Rows, Store } from './store.ts'

/** A live connection as all processes know it. `owner` is the process that holds it. */
export interface RegisteredConnection extends ConnectionInfo {
  readonly owner: number
}

export interface ConnectionFilter {
  readonly port?: string
  readonly group?: string
  readonly uid?: string
}

// Rows that one step of an iteration reads, or one transaction of a purge removes.
const BATCH = 500
const OWNER_BYTES = 8

/** The live connections of all workers, their users and their groups. Every change is one transaction. */
export class Registry {
  readonly #store: Store
  /** fd → owner (f64), then the rest as JSON. */
  readonly #rows: Rows
  readonly #users: Memberships
  readonly #groups: Memberships
  readonly #counts: ConnectionCounts

  constructor(store: Store) {
    this.#store = store
    this.#rows = store.rows('connections')
    this.#users = new Memberships(store, 'user')
    this.#groups = new Memberships(store, 'group')
    this.#counts = new ConnectionCounts(store)
  }

  /** @throws RangeError when the uid or a group is empty or longer than 400 bytes */
  checkNames(uid: string | undefined, groups: readonly string[]): void {
    if (uid !== undefined) newNameBytes('user', uid)
    for (const group of groups) newNameBytes('group', group)
  }

  /** @throws RangeError as `checkNames` */
  add(connection: RegisteredConnection): void {
    this.#store.transaction(() => {
      this.#write(connection)
      if (connection.uid !== undefined) this.#users.add(connection.uid, connection.fd)
      for (const group of connection.groups) this.#groups.add(group, connection.fd)
    })
  }

  /** With its binding and memberships. */
  remove(fd: number): void {
    this.#store.transaction(() => {
      const connection = this.get(fd)
      if (connection === undefined) return
      if (connection.uid !== undefined) this.#users.remove(connection.uid, fd)
      for (const group of connection.groups) this.#groups.remove(group, fd)
      this.#rows.delete(fdKey(fd))
    })
  }

  /** Another process holds these now. @returns those of them that are not there */
  move(fds: readonly number[], to: { readonly owner: number; readonly slot: number }): number[] {
    return this.#store.transaction(() => fds.filter((fd) => !this.#change(fd, (connection) => ({ ...connection, owner: to.owner, worker: to.slot }))))
  }

  get(fd: number): RegisteredConnection | undefined {
    const bytes = this.#rows.get(fdKey(fd))
    return bytes === undefined ? undefined : decode(fd, bytes)
  }

  /** The process that holds a connection. */
  ownerOf(fd: number): number | undefined {
    return this.#rows.get(fdKey(fd))?.readDoubleLE(0)
  }

  /**
   * Makes a connection one of a user, in place of an earlier one.
   * @returns false when there is no such connection
   * @throws RangeError when the uid is empty or longer than 400 bytes
   */
  bind(fd: number, uid: string): boolean {
    return this.#change(fd, (connection) => {
      this.#users.add(uid, fd)
      if (connection.uid !== undefined && connection.uid !== uid) this.#users.remove(connection.uid, fd)
      return { ...connection, uid }
    })
  }

  unbind(fd: number): boolean {
    return this.#change(fd, (connection) => {
      if (connection.uid !== undefined) this.#users.remove(connection.uid, fd)
      return { ...connection, uid: undefined }
    })
  }

  uidOf(fd: number): string | undefined {
    return this.get(fd)?.uid
  }

  fdsOf(uid: string): number[] {
    return this.#users.members(uid)
  }

  isOnline(uid: string): boolean {
    return this.#users.has(uid)
  }

  /** @throws RangeError when the name is empty or longer than 400 bytes */
  join(fd: number, group: string): boolean {
    return this.#change(fd, (connection) => {
      this.#groups.add(group, fd)
      return connection.groups.includes(group) ? connection : { ...connection, groups: [...connection.groups, group] }
    })
  }

  leave(fd: number, group: string): boolean {
    return this.#change(fd, (connection) => {
      this.#groups.remove(group, fd)
      return { ...connection, groups: connection.groups.filter((other) => other !== group) }
    })
  }

  membersOf(group: string): number[] {
    return this.#groups.members(group)
  }

  groups(): string[] {
    return this.#groups.names()
  }

  /** Every connection that is there when the iteration comes to it. Connections may come and go meanwhile. */
  *connections(filter: ConnectionFilter = {}): IterableIterator<ConnectionInfo> {
    for (const connection of this.#candidates(filter)) {
      if (filter.port !== undefined && connection.port !== filter.port) continue
      if (filter.group !== undefined && !connection.groups.includes(filter.group)) continue
      if (filter.uid !== undefined && connection.uid !== filter.uid) continue
      const { owner: _, ...info } = connection
      yield info
    }
  }

  counts(): { connections: number; users: number; groups: number } {
    return { connections: this.#rows.count, users: this.#users.count, groups: this.#groups.count }
  }

  /** A process has died: everything of its goes. @returns the fds that it held */
  purge(owner: number): number[] {
    this.#counts.purge(owner)
    const found: number[] = []
    for (const connection of this.#all()) if (connection.owner === owner) found.push(connection.fd)
    const purged: number[] = []
    for (let i = 0; i < found.length; i += BATCH) {
      this.#store.transaction(() => {
        // Another process may have taken one over since: a hand-over was going on when this one died.
        const own = found.slice(i, i + BATCH).filter((fd) => this.ownerOf(fd) === owner)
        for (const fd of own) this.remove(fd)
        purged.push(...own)
      })
    }
    return purged
  }

  *#candidates(filter: ConnectionFilter): IterableIterator<RegisteredConnection> {
    if (filter.uid === undefined && filter.group === undefined) {
      yield* this.#all()
      return
    }
    const fds = filter.uid !== undefined ? this.fdsOf(filter.uid) : this.membersOf(filter.group ?? '')
    for (const fd of fds) {
      const connection = this.get(fd)
      if (connection !== undefined) yield connection
    }
  }

  *#all(): IterableIterator<RegisteredConnection> {
    let from = 0
    for (;;) {
      const rows = this.#rows.range(fdKey(from), BATCH)
      for (const { key, value } of rows) {
        const fd = fdOf(key)
        from = fd + 1
        yield decode(fd, value)
      }
      if (rows.length < BATCH) return
    }
  }

  #change(fd: number, change: (connection: RegisteredConnection) => RegisteredConnection): boolean {
    return this.#store.transaction(() => {
      const connection = this.get(fd)
      if (connection === undefined) return false
      this.#write(change(connection))
      return true
    })
  }

  #write({ fd, owner, ...rest }: RegisteredConnection): void {
    const json = JSON.stringify(rest)
    const bytes = Buffer.allocUnsafe(OWNER_BYTES + Buffer.byteLength(json))
    bytes.writeDoubleLE(owner)
    bytes.write(json, OWNER_BYTES)
    this.#rows.put(fdKey(fd), bytes)
  }
}

function decode(fd: number, bytes: Buffer): RegisteredConnection {
  const rest = JSON.parse(bytes.toString('utf8', OWNER_BYTES)) as Omit<RegisteredConnection, 'fd' | 'owner' | 'uid'> & { uid?: string }
  return { fd, owner: bytes.readDoubleLE(0), uid: undefined, ...rest }
}

const HIGH = 0x1_0000_0000

/** Big-endian, so that keys sort as numbers do. What can be no fd is taken for 0, which no connection has. */
function fdKey(fd: number): Buffer {
  const known = Number.isSafeInteger(fd) && fd > 0 ? fd : 0
  const key = Buffer.allocUnsafe(8)
  key.writeUInt32BE(Math.floor(known / HIGH), 0)
  key.writeUInt32BE(known >>> 0, 4)
  return key
}

function fdOf(key: Buffer): number {
  return key.readUInt32BE(0) * HIGH + key.readUInt32BE(4)
}
