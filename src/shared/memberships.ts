import { nameBytes, newNameBytes } from './name.ts'
import type { Rows, Store } from './store.ts'

const FD_BYTES = 8
const BATCH = 500

/** Named sets of connections: users, or groups. A set is there while it has a member. */
export class Memberships {
  readonly #what: string
  /** name → number of members (u32). */
  readonly #names: Rows
  /** length of the name (u16), name, fd (f64) → nothing. */
  readonly #members: Rows

  constructor(store: Store, what: 'user' | 'group') {
    this.#what = what
    this.#names = store.rows(`${what}s`)
    this.#members = store.rows(`${what} members`)
  }

  get count(): number {
    return this.#names.count
  }

  has(name: string): boolean {
    const bytes = nameBytes(name)
    return bytes !== undefined && this.#names.has(bytes)
  }

  /** Within a transaction. @throws RangeError */
  add(name: string, fd: number): void {
    const bytes = newNameBytes(this.#what, name)
    const member = memberKey(bytes, fd)
    if (this.#members.has(member)) return
    this.#members.put(member, NOTHING)
    this.#addTo(bytes, 1)
  }

  /** Within a transaction. */
  remove(name: string, fd: number): void {
    const bytes = nameBytes(name)
    if (bytes !== undefined && this.#members.delete(memberKey(bytes, fd))) this.#addTo(bytes, -1)
  }

  members(name: string): number[] {
    const fds: number[] = []
    const bytes = nameBytes(name)
    if (bytes === undefined) return fds
    const prefix = memberKey(bytes, 0).subarray(0, 2 + bytes.length)
    for (;;) {
      const rows = this.#members.range(memberKey(bytes, (fds.at(-1) ?? -1) + 1), BATCH)
      for (const { key } of rows) {
        if (!key.subarray(0, prefix.length).equals(prefix)) return fds
        fds.push(Number(key.readBigUInt64BE(key.length - FD_BYTES)))
      }
      if (rows.length < BATCH) return fds
    }
  }

  names(): string[] {
    const names: string[] = []
    let from = Buffer.from([0])
    for (;;) {
      const rows = this.#names.range(from, BATCH)
      for (const { key } of rows) names.push(key.toString())
      const last = rows.at(-1)
      if (last === undefined || rows.length < BATCH) return names
      from = Buffer.concat([last.key, Buffer.from([0])])
    }
  }

  #addTo(name: Buffer, by: number): void {
    const count = (this.#names.get(name)?.readUInt32LE(0) ?? 0) + by
    if (count <= 0) {
      this.#names.delete(name)
      return
    }
    const value = Buffer.allocUnsafe(4)
    value.writeUInt32LE(count)
    this.#names.put(name, value)
  }
}

const NOTHING = Buffer.from([0])

function memberKey(name: Buffer, fd: number): Buffer {
  const key = Buffer.allocUnsafe(2 + name.length + FD_BYTES)
  key.writeUInt16BE(name.length, 0)
  name.copy(key, 2)
  key.writeBigUInt64BE(BigInt(fd), 2 + name.length)
  return key
}
