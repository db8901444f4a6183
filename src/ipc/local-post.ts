import type { Logger } from '../contracts/logger.ts'
import { Mailroom } from './mailroom.ts'
import type { Place } from './messages.ts'
import type { Member, Post } from './post.ts'

/** The post within one process, where `createDaemon` has every role play: what is sent is cloned and comes in a later turn, as between processes. */
export class LocalPost {
  readonly #rooms = new Map<number, Mailroom>()
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
  }

  /** A role begins to play. */
  join(place: Place, owner: number): Post {
    const self: Member = { ...place, owner, isLeaving: false }
    const room = new Mailroom({
      self,
      log: this.#log,
      carrier: {
        carry: (to, { kind, topic, id, body }) => {
          if (!this.#rooms.has(to)) return false
          setImmediate(() => this.#rooms.get(to)?.receive(kind, { topic, id, body, from: owner }))
          return true
        },
        backlog: () => 0,
      },
    })
    this.#rooms.set(owner, room)
    this.#tell()
    return room
  }

  close(): void {
    for (const room of this.#rooms.values()) room.close()
    this.#rooms.clear()
  }

  #tell(): void {
    const members = Array.from(this.#rooms.values(), (room) => room.self)
    for (const room of this.#rooms.values()) room.setMembers(members)
  }
}
