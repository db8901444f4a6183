import type { Logger } from '../contracts/logger.ts'
import type { TaskStore } from '../shared/task-store.ts'
import { Alarm } from './alarm.ts'
import { Callers } from './callers.ts'
import { Dispatcher } from './dispatcher.ts'
import { Entry } from './entry.ts'
import { FailedTasks } from './failed-tasks.ts'
import type { Hand } from './hand.ts'
import { Intake } from './intake.ts'
import { Outcomes } from './outcomes.ts'
import { Producers } from './producers.ts'
import { SetBack } from './set-back.ts'
import { TaskBook } from './task-book.ts'
import type { Answer, Hello, Refused, Skills, TaskResult } from './task-messages.ts'
import { decodeRecord, STAGE, type Stage } from './task-record.ts'
import { type ClassCounts, TaskStats } from './task-stats.ts'

// How often it is looked whether something runs for too long or holds others up, while anything runs.
const LOOK_MS = 20

/** How the queue reaches the processes around it; `owner` is the number of one. */
export interface QueueLinks {
  give(owner: number, stage: Stage, records: readonly Buffer[]): void
  recall(owner: number): void
  accepted(owner: number, upTo: number): void
  refused(owner: number, refused: Refused): void
  answer(owner: number, answer: Answer): void
  /** Which tasks ran in a process that has ended, where that is known. */
  ranIn(owner: number): ReadonlySet<number> | undefined
  /** A process is stuck. @returns whether it can be replaced */
  kill(owner: number): boolean
}

export interface TaskQueueParts {
  readonly store: TaskStore
  readonly links: QueueLinks
  readonly log: Logger
  readonly maxQueued: number
  readonly maxFailed: number
}

/** All tasks of the daemon that are not done. One object in one process: nobody else writes the store. */
export class TaskQueue {
  readonly stats: TaskStats = new TaskStats()
  readonly book: TaskBook
  readonly failed: FailedTasks
  readonly producers: Producers
  readonly callers: Callers
  readonly #parts: TaskQueueParts
  readonly #outcomes: Outcomes
  readonly #intake: Intake
  readonly #handle: Dispatcher = new Dispatcher()
  readonly #finish: Dispatcher
  readonly #alarm: Alarm = new Alarm(() => this.pump())
  readonly #setBack: SetBack
  #isGiving = false
  #look: NodeJS.Timeout | undefined

  constructor(parts: TaskQueueParts) {
    const { store, log, links, maxQueued } = parts
    const { stats } = this
    this.#parts = parts
    this.book = new TaskBook(store)
    this.#setBack = new SetBack(this.book, log)
    this.failed = new FailedTasks({ store, limit: parts.maxFailed })
    this.producers = new Producers(store)
    this.#finish = new Dispatcher((entry) => this.producers.ownerOf(entry.producer))
    const enqueue = (entry: Entry): void => this.#enqueue(entry)
    const answer: QueueLinks['answer'] = (owner, said) => links.answer(owner, said)
    this.callers = new Callers({ book: this.book, stats, answer, withdraw: (entry) => this.#of(entry.stage).withdraw(entry) })
    this.#outcomes = new Outcomes({ book: this.book, failed: this.failed, stats, log, again: enqueue, answer })
    this.#intake = new Intake({
      store,
      book: this.book,
      producers: this.producers,
      stats,
      log,
      maxQueued,
      lane: (className) => this.#handle.lane(className),
      enqueue: (entry) => this.#adopt(entry) || enqueue(entry),
      accepted: (owner, upTo) => links.accepted(owner, upTo),
      refused: (owner, refused) => links.refused(owner, refused),
    })
  }

  /** Reads what is on disk. Nothing is given to anybody before `start`. @returns the highest number of a task that is there */
  load(): number {
    let highest = 0
    this.failed.load()
    this.producers.load()
    const now = Date.now()
    for (const record of this.#parts.store.tasks()) {
      const entry = this.#entry(record)
      this.book.add(entry)
      this.#enqueue(entry)
      this.book.mayCool(entry, now)
      highest = Math.max(highest, entry.id)
    }
    return this.failed.ids.reduce((max, id) => Math.max(max, id), highest)
  }

  start(): void {
    this.#isGiving = true
    this.pump()
  }

  async stop(): Promise<void> {
    this.#isGiving = false
    this.#alarm.set(undefined)
    clearInterval(this.#look)
    await this.#parts.store.close()
  }

  /** A process says what it is and can do. */
  greet(owner: number, { producer, handle, finish }: Hello): void {
    if (producer > 0) this.producers.greet(producer, owner)
    if (handle !== undefined) this.#join(this.#handle, owner, handle)
    if (finish !== undefined) this.#join(this.#finish, owner, finish)
    this.pump()
  }

  /** A process takes nothing more. */
  bid(owner: number): void {
    for (const hand of this.#hands(owner)) hand.isLeaving = true
  }

  /** A process is gone: what it had goes back. */
  lost(owner: number): void {
    this.#setBack.follow()
    this.producers.lost(owner)
    this.#outcomes.killed(this.#handle.lost(owner), this.#parts.links.ranIn(owner))
    this.#outcomes.killed(this.#finish.lost(owner))
    this.callers.lost(owner)
    this.pump()
  }

  deliver(owner: number, records: readonly Buffer[]): void {
    this.#setBack.follow()
    void this.#intake.take(owner, records).then(() => this.pump())
    this.pump()
  }

  /** What became of tasks in a stage. */
  results(owner: number, stage: Stage, results: readonly TaskResult[]): void {
    this.#setBack.follow()
    const hand = this.#of(stage).hands.get(owner)
    for (const result of results) {
      const entry = hand?.take(result.id)
      // Its time was over, or nobody waits for it: it has been dealt with. Or somebody will say that he waits.
      if (entry === undefined && hand?.strangers.has(result.id) === true) hand.strangers.set(result.id, result)
      if (entry === undefined) continue
      entry.lane.learn(result.ms)
      if (stage === STAGE.handle) this.stats.of(entry.lane.className).handleSeconds.observeMs(result.ms)
      entry.isSuspect = false
      // Its process may be on the way to be killed: when it is tried again, its time begins anew.
      entry.isOverdue = false
      this.#outcomes.take(entry, result)
    }
    if (hand !== undefined) hand.movedAt = performance.now()
    this.pump()
  }

  /** A process gives back what it has not begun. */
  returned(owner: number, ids: readonly number[]): void {
    for (const hand of this.#hands(owner)) {
      for (const id of ids) {
        const entry = hand.take(id)
        if (entry !== undefined) this.#enqueue(entry)
      }
    }
    this.pump()
  }

  /** Puts one that has failed back among those that wait. */
  retry(id: number): boolean {
    const failed = this.failed.get(id)
    if (failed === undefined) return false
    this.#setBack.follow()
    this.failed.remove(id)
    const entry = this.#entry(failed.record)
    entry.attempts = 0
    entry.kills = 0
    entry.due = Date.now()
    this.book.add(entry)
    this.book.write(entry)
    this.#enqueue(entry)
    this.pump()
    return true
  }

  /** Drops one that waits or has failed. One that runs is left alone. */
  drop(id: number): boolean {
    if (this.failed.remove(id)) return true
    const entry = this.book.entries.get(id)
    if (entry === undefined || !this.#of(entry.stage).withdraw(entry)) return false
    this.book.forget(entry)
    return true
  }

  /** Classes of which something waits and which no process has. */
  missing(): string[] {
    return [...new Set([...this.#handle.missing(), ...this.#finish.missing()])]
  }

  counts(): Map<string, ClassCounts> {
    const counts = new Map<string, { waiting: number; running: number }>()
    for (const dispatcher of [this.#handle, this.#finish]) {
      for (const { className, numWaiting, running } of dispatcher.lanes) {
        const count = counts.get(className) ?? { waiting: 0, running: 0 }
        counts.set(className, { waiting: count.waiting + numWaiting, running: count.running + running })
      }
    }
    return counts
  }

  /** Gives what can be given, and sees to it that this is done again in time. */
  pump(): void {
    if (!this.#isGiving) return
    this.#setBack.follow()
    const now = Date.now()
    for (const [hand, entries] of this.#handle.give(now)) this.#give(hand, STAGE.handle, entries, now)
    for (const [hand, entries] of this.#finish.give(now)) this.#give(hand, STAGE.finish, entries, now)
    const dues = [this.#handle.nextDue(now), this.#finish.nextDue(now)].filter((due) => due !== undefined)
    this.#alarm.set(dues.length === 0 ? undefined : Math.min(...dues))
    if (this.#look === undefined && this.#handle.isBusy) this.#look = setInterval(() => this.#lookAround(), LOOK_MS)
  }

  #give(hand: Hand, stage: Stage, entries: readonly Entry[], now: number): void {
    const records: Buffer[] = []
    for (const entry of entries) {
      const record = this.book.recordOf(entry)
      if (record === undefined) {
        hand.take(entry.id)
        this.book.lose(entry)
        this.#parts.log.error({ task: entry.id, class: entry.lane.className }, 'A task is not on disk any more')
        continue
      }
      if (stage === STAGE.handle) this.stats.of(entry.lane.className).queueSeconds.observeMs(Math.max(0, now - entry.due))
      records.push(record)
    }
    if (records.length > 0) this.#parts.links.give(hand.owner, stage, records)
  }

  #lookAround(): void {
    const { links, log } = this.#parts
    const now = performance.now()
    if (!this.#handle.isBusy) {
      clearInterval(this.#look)
      this.#look = undefined
      return
    }
    for (const hand of this.#handle.stuck(now)) {
      hand.movedAt = now
      links.recall(hand.owner)
    }
    for (const { hand, entry } of this.#handle.overdue(now)) {
      const { className, timeoutMs } = entry.lane
      log.warn({ task: entry.id, class: className }, `Task has run for more than ${timeoutMs} ms: its task worker is replaced`)
      entry.isOverdue = true
      if (links.kill(hand.owner)) hand.isLeaving = true
      else if (hand.take(entry.id) !== undefined) this.#outcomes.killed([entry])
    }
  }

  #entry(record: Buffer): Entry {
    const fields = decodeRecord(record)
    this.stats.of(fields.className)
    return new Entry(this.#of(fields.stage).lane(fields.className), { record, fields, asker: 0 })
  }

  #enqueue(entry: Entry): void {
    if (entry.isRevoked) return this.callers.refuse(entry)
    const dispatcher = this.#of(entry.stage)
    entry.lane = dispatcher.lane(entry.lane.className)
    dispatcher.add(entry)
  }

  #join(dispatcher: Dispatcher, owner: number, skills: Skills): void {
    this.#outcomes.killed(dispatcher.lost(owner))
    dispatcher.join({ owner, ...skills, entry: (id) => this.book.entries.get(id) })
  }

  /** What was begun for a queue before this one is not begun again. @returns whether it was */
  #adopt(entry: Entry): boolean {
    const found = entry.isStored ? undefined : this.#handle.adopt(entry)
    if (found?.result !== undefined) this.#outcomes.take(entry, found.result)
    return found !== undefined
  }

  #of(stage: Stage): Dispatcher {
    return stage === STAGE.handle ? this.#handle : this.#finish
  }

  #hands(owner: number): Hand[] {
    return [this.#handle, this.#finish].flatMap((dispatcher) => dispatcher.hands.get(owner) ?? [])
  }
}
