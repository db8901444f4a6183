import { deserialize } from 'node:v8'
import type { Logger } from '../contracts/logger.ts'
import type { Bus } from '../ipc/bus.ts'
import type { BusMessage, BusPeer, MoveNote } from '../ipc/messages.ts'
import type { SocketConnection } from '../net/connection.ts'
import type { Listener } from '../net/listener.ts'
import type { MovedState } from '../net/movable.ts'
import { identityOf, type StreamHandle } from '../net/node-internals.ts'
import type { Standing } from '../net/port.ts'

export interface ArrivalsParts {
  readonly bus: Bus
  readonly log: Logger
  readonly listener: (port: string) => Listener | undefined
  /** Gives a message of the bus to one connection, if it is meant for it. */
  readonly replay: (connection: SocketConnection, message: BusMessage) => void
  /** Tells all processes of the connections that are here now. */
  readonly onTaken: () => void
}

// What a worker said before it was gone is on the bus: so long it is waited for.
const LAST_WORDS_MS = 200

interface Held {
  readonly handle: StreamHandle
  readonly port: string
}

/** The side of a hand-over that connections come to. A handle is held unread until its connection's state is there. */
export class Arrivals {
  readonly #parts: ArrivalsParts
  /** Owner and number of the move → what came. */
  readonly #held = new Map<string, Held>()
  /** Taken over, and the worker that they came from has not heard of it. */
  #taken: { readonly from: number; readonly id: number }[] = []

  constructor(parts: ArrivalsParts) {
    this.#parts = parts
  }

  /** A handle has come from the master. */
  hold({ from, id, port, identity }: MoveNote, handle: StreamHandle | undefined): void {
    const { bus, listener } = this.#parts
    // Of a worker that is gone nothing follows.
    const canTake = handle !== undefined && identityOf(handle) === identity && bus.has(from) && listener(port)?.takeOver !== undefined
    if (canTake) this.#held.set(`${from} ${id}`, { handle, port })
    else handle?.close()
    bus.tell(from, { ...NOTHING, kind: canTake ? 'held' : 'refused', fd: id })
  }

  /** What the worker that is left says. */
  receive(message: BusMessage, from: number): void {
    const key = `${from} ${message.fd}`
    const held = this.#held.get(key)
    this.#held.delete(key)
    if (held === undefined) return
    if (message.kind === 'refused') held.handle.close()
    else this.#takeOver(held, message.payload as Uint8Array, from, message.fd)
  }

  /** Handles of workers that are gone came for nothing, unless the state is on its way. */
  setPeers(peers: readonly BusPeer[]): void {
    const orphans = [...this.#held.keys()].filter((key) => !peers.some(({ owner }) => owner === Number(key.split(' ', 1)[0])))
    if (orphans.length > 0) setTimeout(() => orphans.forEach(this.#drop), LAST_WORDS_MS)
  }

  readonly #drop = (key: string): void => {
    this.#held.get(key)?.handle.close()
    this.#held.delete(key)
  }

  #takeOver({ handle, port }: Held, payload: Uint8Array, from: number, id: number): void {
    const { bus, log, listener, replay } = this.#parts
    try {
      const { state, standing, had } = deserialize(payload) as { state: MovedState; standing: Standing; had: ReadonlyMap<number, number> }
      const replayAll = (connection: SocketConnection): void => {
        for (const { message, origin } of bus.recent) if (origin.sequence > (had.get(origin.owner) ?? 0)) replay(connection, message)
      }
      listener(port)?.takeOver?.(handle, state, { from: { owner: from, standing }, had, replay: replayAll })
    } catch (error) {
      log.error({ err: error, port }, 'Cannot go on with a connection that was handed over')
      handle.close()
    }
    if (this.#taken.push({ from, id }) === 1) setImmediate(this.#tellTaken)
  }

  /** Once for all that came in a turn of the event loop. */
  readonly #tellTaken = (): void => {
    const taken = this.#taken
    this.#taken = []
    try {
      this.#parts.onTaken()
    } catch (error) {
      this.#parts.log.error({ err: error }, 'Cannot say where connections are that were handed over')
    }
    for (const { from, id } of taken) this.#parts.bus.tell(from, { ...NOTHING, kind: 'arrived', fd: id })
  }
}

const NOTHING = { fd: 0, name: '', except: [], payload: undefined }
