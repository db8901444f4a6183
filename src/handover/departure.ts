import { serialize } from 'node:v8'
import type { Logger } from '../contracts/logger.ts'
import type { Bus } from '../ipc/bus.ts'
import type { BusMessage, BusPeer, LeaveOrder, MoveNote } from '../ipc/messages.ts'
import type { Movable } from '../net/movable.ts'
import { identityOf, type StreamHandle } from '../net/node-internals.ts'

// How often connections are looked at that could not move before: in the middle of a request, or of a handler's promise.
const SWEEP_MS = 20
// So many are on their way at a time: enough that nobody waits for an answer, few enough that each is away for a moment only.
const NUM_UNDER_WAY = 64
// What was sent to this worker alone comes first. A process that sends nothing for so long is stuck: what it had sent is not waited for.
const MARKS_WAIT_MS = 5000

/** A port, as far as its connections are to leave. */
export interface LeavingPort {
  readonly name: string
  movables(): Iterable<Movable>
}

export interface DepartureParts {
  readonly ports: Iterable<LeavingPort>
  readonly bus: Bus
  readonly owner: number
  readonly log: Logger
  /** Gives the handle to the master, for the heir. */
  readonly give: (move: MoveNote, handle: StreamHandle) => void
  /** The heir has died with the connection's state, before it held the connection. */
  readonly onLost: (lost: Movable, port: string) => void
  /** All that can move now has moved. Called once for each order. */
  readonly onLeft: () => void
}

interface UnderWay {
  readonly movable: Movable
  readonly port: string
  readonly heir: { readonly owner: number; readonly slot: number }
  /** What was sent before it was halted has passed behind this fence. */
  readonly fence: number
  /** The heir has the handle. */
  isHeld: boolean
  /** The state has been sent: it is the heir's. */
  isGone: boolean
}

/**
 * The side of a hand-over that is left. Each connection: reading stops; the handle goes to the heir by way of the master; when the heir says that it
 * holds it, the state follows over the bus, and in the same moment the connection ends to exist here. Until then it is served here, so that
 * nothing is lost if the heir dies.
 */
export class Departure {
  readonly #parts: DepartureParts
  readonly #underWay = new Map<number, UnderWay>()
  /** Connections whose `data` cannot be cloned: they stay. */
  readonly #unmovable = new Set<number>()
  #order: LeaveOrder | undefined
  /** The heirs as they were ordered: others tell which ones they send to by these. Empty once that has been waited for. */
  #awaited: readonly number[] = []
  #awaitedUntil = 0
  /** By number: the workers that have not passed it, and until when they are waited for. */
  readonly #fences = new Map<number, { readonly asked: Set<number>; readonly until: number }>()
  #lastFence = 0
  /** They do not get a turn: they are not waited for again. */
  readonly #deaf = new Set<number>()
  #isTold = false
  #lastId = 0
  #timer: NodeJS.Timeout | undefined

  constructor(parts: DepartureParts) {
    this.#parts = parts
  }

  /** Begins, or goes on with other heirs. */
  start(order: LeaveOrder): void {
    this.#order = order
    this.#awaited = order.heirs.map(({ owner }) => owner)
    this.#awaitedUntil = performance.now() + MARKS_WAIT_MS
    this.#isTold = false
    for (const [id, { heir, isGone }] of this.#underWay) if (!isGone && !order.heirs.some(({ owner }) => owner === heir.owner)) this.stay(id)
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS)
    this.#sweep()
  }

  /** Workers have come or gone: what was on its way to one that died goes on here, but for what is its already. */
  setPeers(peers: readonly BusPeer[]): void {
    for (const { asked } of this.#fences.values()) for (const owner of asked) if (!peers.some((peer) => peer.owner === owner)) asked.delete(owner)
    for (const [id, { heir, isGone }] of this.#underWay) {
      if (peers.some(({ owner }) => owner === heir.owner)) continue
      if (isGone) this.#lost(id)
      else this.stay(id)
    }
    // Whoever is there next is named in the order that follows.
    if (this.#order !== undefined) this.#order = { ...this.#order, heirs: this.#order.heirs.filter(({ owner }) => peers.some((peer) => peer.owner === owner)) }
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Whether a connection is between this worker and its heir. */
  get isUnderWay(): boolean {
    return this.#underWay.size > 0
  }

  /** What an heir says. */
  receive(message: BusMessage, from: number): void {
    if (message.kind === 'held') this.#hold(message.fd, from)
    else if (message.kind === 'passed') this.#pass(message.fd, from)
    else if (message.kind === 'refused') this.stay(message.fd)
    else if (message.kind === 'arrived') this.#done(message.fd)
  }

  /** The connection goes on here. */
  stay(id: number): void {
    const entry = this.#underWay.get(id)
    if (entry === undefined || entry.isGone) return
    this.#underWay.delete(id)
    entry.movable.goOn()
  }

  #sweep(): void {
    const order = this.#order
    const { ports, owner: from, give } = this.#parts
    if (order === undefined || order.heirs.length === 0 || this.#mustWait()) return
    this.#giveUpFences()
    const fence = this.#lastFence + 1
    const lastId = this.#lastId
    let isFull = false
    const halted = new Set(Array.from(this.#underWay.values(), ({ movable }) => movable.handle))
    for (const port of ports) {
      if (isFull || !order.ports.includes(port.name)) continue
      for (const movable of port.movables()) {
        if (halted.has(movable.handle) || this.#unmovable.has(movable.fd)) continue
        isFull = this.#underWay.size >= NUM_UNDER_WAY
        if (isFull) break
        const id = ++this.#lastId
        const heir = order.heirs[id % order.heirs.length] as UnderWay['heir']
        movable.halt()
        this.#underWay.set(id, { movable, port: port.name, heir, fence, isHeld: false, isGone: false })
        give({ id, from, to: heir.owner, port: port.name, identity: identityOf(movable.handle) }, movable.handle)
      }
    }
    if (this.#lastId > lastId) this.#fence(fence)
    if (this.#underWay.size > 0 || this.#isTold) return
    this.#isTold = true
    this.#parts.onLeft()
  }

  /** Others have sent something for the connections here that has not come yet, and that the heirs do not get. */
  #mustWait(): boolean {
    const { bus, log } = this.#parts
    if (this.#awaited.length === 0) return false
    if (!bus.isMarked(this.#awaited)) {
      if (performance.now() < this.#awaitedUntil) return true
      log.warn('Another process does not say that it knows of the hand-over: what it has sent may be lost')
      // Who has a turn answers at once.
      for (const owner of bus.fence(0)) this.#deaf.add(owner)
    }
    this.#awaited = []
    return false
  }

  /** What the connections that are halted now have published is with the other workers before it, and so before what they publish elsewhere. */
  #fence(fence: number): void {
    this.#lastFence = fence
    const asked = this.#parts.bus.fence(fence)
    for (const owner of this.#deaf) asked.delete(owner)
    if (asked.size > 0) this.#fences.set(fence, { asked, until: performance.now() + MARKS_WAIT_MS })
  }

  #pass(fence: number, from: number): void {
    this.#deaf.delete(from)
    const asked = this.#fences.get(fence)?.asked
    asked?.delete(from)
    if (asked?.size === 0) this.#open(fence)
  }

  #giveUpFences(): void {
    for (const [fence, { asked, until }] of this.#fences) {
      if (asked.size > 0 && performance.now() < until) continue
      for (const owner of asked) this.#deaf.add(owner)
      this.#open(fence)
    }
  }

  #open(fence: number): void {
    this.#fences.delete(fence)
    for (const [id, entry] of this.#underWay) if (entry.fence === fence && entry.isHeld && !entry.isGone) this.#follow(id, entry)
  }

  /** The heir holds the handle: the rest follows. */
  #hold(id: number, from: number): void {
    const entry = this.#underWay.get(id)
    // It stays, or goes to another one: as long as its handle is held there, too, its client does not see it close.
    if (entry === undefined) return void this.#parts.bus.tell(from, { ...NOTHING, kind: 'refused', fd: id })
    entry.isHeld = true
    if (!this.#fences.has(entry.fence)) this.#follow(id, entry)
  }

  #follow(id: number, entry: UnderWay): void {
    const { bus, log } = this.#parts
    const { movable, heir } = entry
    const payload = this.#pack(movable)
    if (payload === undefined) {
      bus.tell(heir.owner, { ...NOTHING, kind: 'refused', fd: id })
      this.stay(id)
      return
    }
    movable.letGo()
    entry.isGone = true
    bus.tell(heir.owner, { ...NOTHING, kind: 'state', fd: id, payload })
    if (log.isLevelEnabled('debug')) log.debug({ fd: movable.fd, worker: heir.slot }, 'Connection handed over')
  }

  #pack(movable: Movable): Buffer | undefined {
    try {
      const state = movable.state()
      return state === undefined ? undefined : serialize({ state, standing: movable.standing, had: this.#parts.bus.seen() })
    } catch (error) {
      this.#unmovable.add(movable.fd)
      this.#parts.log.warn({ err: error, fd: movable.fd }, 'Connection cannot be handed over: put only plain data into connection.data')
      return undefined
    }
  }

  #lost(id: number): void {
    const entry = this.#underWay.get(id)
    this.#underWay.delete(id)
    if (entry === undefined) return
    const { log, onLost } = this.#parts
    try {
      onLost(entry.movable, entry.port)
    } catch (error) {
      log.error({ err: error, fd: entry.movable.fd }, 'Shared memory cannot be written: a connection that was lost is listed until its worker ends')
    }
  }

  #done(id: number): void {
    // Not for each one: what could move is looked for among all.
    if (this.#underWay.delete(id) && this.#underWay.size <= NUM_UNDER_WAY / 2) this.#sweep()
  }
}

const NOTHING = { fd: 0, name: '', except: [], payload: undefined }
