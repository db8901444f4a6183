import type { Due } from './due-heap.ts'
import type { Lane } from './lane.ts'
import { KIND, STAGE, type Stage, type TaskRecord } from './task-record.ts'

/** A task as the queue has it in memory. Its bytes are on disk, and here only while they are likely to be needed soon. */
export class Entry implements Due {
  readonly id: number
  readonly producer: number
  readonly deliveredAt: number
  readonly backoffMs: number
  readonly tries: number
  /** Somebody waits for its output: it is on no disk, and the process of this number is to have its answer. */
  readonly asker: number
  readonly isListener: boolean
  lane: Lane
  due: number
  heapIndex = -1
  attempts: number
  kills: number
  stage: Stage
  /** Undefined: only on disk. */
  record: Buffer | undefined
  numBytes: number
  /** The bytes in memory count as such (TaskBook). */
  isHot = false
  /** When it was given to a process, by the clock that nobody can set; 0 while it is with none. */
  givenAt = 0
  /** When it is known to have begun there, at the latest. 0 before. */
  startedAt = 0
  /** What it was thought to take when it was given, in milliseconds. */
  expectedMs = 0
  /** It was in a process that died with several tasks: to be run alone, so that it is known which one does it. */
  isSuspect = false
  /** Nobody waits for its output any more. */
  isAbandoned = false
  /** Who waits for its output ends: it is not begun any more. */
  isRevoked = false
  /** It has run for too long, and its process is being replaced. */
  isOverdue = false

  constructor(lane: Lane, { record, fields, asker }: { record: Buffer; fields: TaskRecord; asker: number }) {
    this.id = fields.id
    this.producer = fields.producer
    this.deliveredAt = fields.deliveredAt
    this.backoffMs = fields.backoffMs
    this.tries = fields.tries
    this.asker = fields.kind === KIND.run ? asker : 0
    this.isListener = fields.kind === KIND.listener
    this.lane = lane
    // By the clock of then: one that has been set back since does not make it wait for longer than it was to.
    this.due = Math.min(fields.due, Date.now() + Math.max(0, fields.due - fields.deliveredAt))
    this.attempts = fields.attempts
    this.kills = fields.kills
    this.stage = fields.stage
    this.record = record
    this.numBytes = record.length
  }

  get isStored(): boolean {
    return this.asker === 0
  }

  get isFinish(): boolean {
    return this.stage === STAGE.finish
  }
}
