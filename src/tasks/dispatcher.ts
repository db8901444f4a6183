import type { Entry } from './entry.ts'
import { Hand } from './hand.ts'
import { Lane } from './lane.ts'
import type { Skills, TaskResult } from './task-messages.ts'

// One that has not answered for this long holds up what waits behind: it is to give it back when another is free.
const RECALL_MS = 20

/** What goes out in one turn, by process. */
export type Given = ReadonlyMap<Hand, readonly Entry[]>

/** Who does what next, of one stage: the order of due times over all classes, within what classes and processes allow. */
export class Dispatcher {
  readonly hands = new Map<number, Hand>()
  readonly #lanes = new Map<string, Lane>()
  readonly #suspects = new Set<Entry>()
  /** The process that a task had better go to. */
  readonly #preferred: (entry: Entry) => number | undefined

  constructor(preferred: (entry: Entry) => number | undefined = () => undefined) {
    this.#preferred = preferred
  }

  get lanes(): Iterable<Lane> {
    return this.#lanes.values()
  }

  get isBusy(): boolean {
    for (const { given } of this.hands.values()) if (given.size > 0) return true
    return false
  }

  lane(className: string): Lane {
    const known = this.#lanes.get(className)
    if (known !== undefined) return known
    const lane = new Lane(className)
    this.#lanes.set(className, lane)
    return lane
  }

  /** A process is there, with what it has already. */
  join({ owner, concurrency, classes, has, entry }: Skills & { owner: number; entry: (id: number) => Entry | undefined }): void {
    const hand = new Hand({ owner, concurrency, classes: new Set(classes.map(({ name }) => name)) })
    for (const info of classes) this.lane(info.name).info = info
    this.hands.set(owner, hand)
    for (const id of has) {
      const known = entry(id)
      if (known === undefined) hand.strangers.set(id, undefined)
      else if (this.withdraw(known)) hand.give(known)
    }
  }

  /** A process may have been given a task by a queue before this one. @returns whether it was, and what has come of it if it is done */
  adopt(entry: Entry): { readonly result: TaskResult | undefined } | undefined {
    for (const hand of this.hands.values()) {
      if (!hand.strangers.has(entry.id)) continue
      const result = hand.strangers.get(entry.id)
      hand.strangers.delete(entry.id)
      if (result === undefined) hand.give(entry)
      return { result }
    }
    return undefined
  }

  /** A process is gone. @returns what it had */
  lost(owner: number): Entry[] {
    const hand = this.hands.get(owner)
    if (hand === undefined) return []
    this.hands.delete(owner)
    return [...hand.given.keys()].flatMap((id) => hand.take(id) ?? [])
  }

  add(entry: Entry): void {
    if (entry.isSuspect) {
      this.#suspects.add(entry)
      entry.lane.numSuspects++
    } else entry.lane.waiting.add(entry)
  }

  /** Takes out one that waits. @returns whether it did */
  withdraw(entry: Entry): boolean {
    return this.#release(entry) || entry.lane.waiting.remove(entry)
  }

  *waiting(): IterableIterator<Entry> {
    yield* this.#suspects
    for (const lane of this.lanes) yield* lane.waiting
  }

  /** Classes of which something waits and which no process has. */
  missing(): string[] {
    const hands = [...this.hands.values()]
    return [...this.#lanes.values()].flatMap(({ className, numWaiting }) =>
      numWaiting > 0 && !hands.some(({ classes }) => classes.has(className)) ? [className] : [],
    )
  }

  /** Gives what can be given now. */
  give(now: number): Given {
    const given = new Map<Hand, Entry[]>()
    for (const hand of this.hands.values()) hand.isWanted = false
    for (const entry of this.#suspects) this.#giveSuspect(entry, now, given)
    for (;;) {
      const found = this.#next(now)
      if (found === undefined) return given
      found.entry.lane.waiting.remove(found.entry)
      this.#hand(found.hand, found.entry, given)
    }
  }

  /** When the next one that waits for its time is due; undefined when none is. */
  nextDue(now: number): number | undefined {
    let next: number | undefined
    for (const lane of this.lanes) {
      const { first } = lane.waiting
      if (first !== undefined && first.due > now && (next === undefined || first.due < next)) next = first.due
    }
    for (const { due } of this.#suspects) if (due > now && (next === undefined || due < next)) next = due
    return next
  }

  /** Processes that hold tasks behind one that takes long, while another is free. @param now by `performance.now()` */
  stuck(now: number): Hand[] {
    const hands = [...this.hands.values()]
    if (!hands.some((hand) => hand.isFree && hand.hasRoom(0))) return []
    return hands.filter((hand) => hand.given.size > hand.concurrency && now - hand.movedAt >= RECALL_MS)
  }

  /** What has run for longer than its class allows. @param now by `performance.now()`: nothing runs for too long because somebody sets the clock */
  overdue(now: number): { hand: Hand; entry: Entry }[] {
    const found: { hand: Hand; entry: Entry }[] = []
    for (const hand of this.hands.values()) {
      for (const entry of hand.running()) {
        if (entry.lane.timeoutMs === 0 || entry.isOverdue) continue
        if (entry.startedAt === 0) entry.startedAt = Math.max(entry.givenAt, hand.movedAt)
        if (now - entry.startedAt > entry.lane.timeoutMs) found.push({ hand, entry })
      }
    }
    return found
  }

  /** A suspect goes to a process that has nothing else; when all have something, one of them is kept free for it. */
  #giveSuspect(entry: Entry, now: number, given: Map<Hand, Entry[]>): void {
    const { lane } = entry
    if (entry.due > now || lane.running >= lane.limit) return
    const able = [...this.hands.values()].filter((hand) => !hand.isLeaving && !hand.isReserved && hand.classes.has(lane.className))
    const hand = able.sort((a, b) => a.given.size - b.given.size)[0]
    if (hand === undefined) return
    if (hand.given.size > 0) {
      hand.isWanted = true
      return
    }
    this.#release(entry)
    this.#hand(hand, entry, given)
  }

  #release(suspect: Entry): boolean {
    const wasThere = this.#suspects.delete(suspect)
    if (wasThere) suspect.lane.numSuspects--
    return wasThere
  }

  #next(now: number): { entry: Entry; hand: Hand } | undefined {
    let best: { entry: Entry; hand: Hand } | undefined
    for (const lane of this.#lanes.values()) {
      const entry = lane.waiting.first
      if (entry === undefined || entry.due > now || lane.running >= lane.limit) continue
      if (best !== undefined && !isBefore(entry, best.entry)) continue
      const hand = this.#handFor(entry)
      if (hand !== undefined) best = { entry, hand }
    }
    return best
  }

  #handFor(entry: Entry): Hand | undefined {
    const { className, expectedMs } = entry.lane
    const preferred = this.hands.get(this.#preferred(entry) ?? 0)
    if (preferred?.classes.has(className) === true && preferred.hasRoom(expectedMs)) return preferred
    let best: Hand | undefined
    for (const hand of this.hands.values()) {
      if (!hand.classes.has(className) || !hand.hasRoom(expectedMs)) continue
      if (best === undefined || isBetter(hand, best)) best = hand
    }
    return best
  }

  #hand(hand: Hand, entry: Entry, given: Map<Hand, Entry[]>): void {
    hand.give(entry)
    const list = given.get(hand)
    if (list === undefined) given.set(hand, [entry])
    else list.push(entry)
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.due < b.due || (a.due === b.due && a.id < b.id)
}

function isBetter(a: Hand, b: Hand): boolean {
  if (a.isFree !== b.isFree) return a.isFree
  return a.isFree ? a.given.size < b.given.size : a.loadMs < b.loadMs
}
