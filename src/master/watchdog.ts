import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../contracts/logger.ts'
import type { Slot } from './slot.ts'
import type { Staff } from './staff.ts'
import type { WorkerChild } from './worker-child.ts'
import type { Workers } from './workers.ts'

const LOOK_MS = 1000
// A worker that has nothing to do reports every 5 s: that long it may be silent.
const SILENCE_MS = 5500
// A look that comes so late says that this process itself did not run: stopped, or the whole machine was.
const LATE_MS = 3 * LOOK_MS
// A worker younger than that is not replaced for its memory: what it needs to begin with does not become less.
const YOUNG_MS = 5000
// The code may be broken by now, so that no other worker starts: how long until the next try.
const RETRY_MS = 30_000

/** Looks after workers that run: one that is stuck is killed, one that has done or grown enough is replaced. */
export class Watchdog {
  readonly #workers: Workers
  readonly #staff: Staff
  readonly #log: Logger
  readonly #replace: (slot: Slot, reason: string) => Promise<boolean>
  readonly #beingReplaced = new Set<Slot>()
  #timer: NodeJS.Timeout | undefined
  #lookedAt = performance.now()

  /** @param parts `replace` resolves with whether it has been done */
  constructor(parts: { workers: Workers; staff: Staff; log: Logger; replace: (slot: Slot, reason: string) => Promise<boolean> }) {
    this.#workers = parts.workers
    this.#staff = parts.staff
    this.#log = parts.log
    this.#replace = parts.replace
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const now = performance.now()
    const isLate = now - this.#lookedAt > LATE_MS
    this.#lookedAt = now
    for (const slot of this.#workers.slots) {
      const { current } = slot
      // One that is on its way out has a time of its own (WorkerChild.stop).
      if (current === undefined || current.state === 'draining') continue
      // What they have said meanwhile has not been read yet.
      if (isLate) current.heardAt = now
      else if (!current.isReady) this.#lookAtStart(slot, current)
      else if (isStuck(current)) this.#kill(slot, current, 'Worker is stuck: its event loop does not run. Killing it')
      else void this.#recycle(slot, current)
    }
    this.#lookAtTimers(isLate, now)
  }

  /** Of other processes the timer process alone: tasks and custom processes may compute for as long as they like. */
  #lookAtTimers(isLate: boolean, now: number): void {
    for (const slot of this.#staff.slots.filter(({ place, isReady }) => place.role === 'timer' && isReady)) {
      const { current } = slot
      if (current === undefined) continue
      if (isLate) current.heardAt = now
      else if (isStuck(current)) this.#kill(slot, current, 'Timer process is stuck: a run does not let the others have their turn. Killing it')
    }
  }

  /** The first ones of a start or a reload are waited for there; this is for the one that follows a worker that died. */
  #lookAtStart(slot: Slot, child: WorkerChild): void {
    if (Date.now() - child.startedAt > child.config.startSeconds * 1000 + LOOK_MS) this.#kill(slot, child, 'Worker does not get ready: killing it')
  }

  #kill(slot: Slot, child: WorkerChild, why: string): void {
    const { stuckSeconds, startSeconds } = child.config
    const who = slot.place.role === 'worker' ? { worker: slot.index } : { process: slot.place.role }
    this.#log.error({ ...who, childPid: child.pid, stuckSeconds, startSeconds }, why)
    child.kill()
  }

  async #recycle(slot: Slot, child: WorkerChild): Promise<void> {
    const reason = reasonToReplace(child)
    if (reason === undefined || this.#beingReplaced.has(slot)) return
    this.#beingReplaced.add(slot)
    if (!(await this.#replace(slot, reason))) await sleep(RETRY_MS, undefined, { ref: false })
    this.#beingReplaced.delete(slot)
  }
}

function isStuck(child: WorkerChild): boolean {
  const silent = performance.now() - child.heardAt
  // Asked first: a worker with nothing to do says nothing for a while.
  if (silent > SILENCE_MS) child.send({ type: 'report', id: 0 })
  return silent > Math.max(child.config.stuckSeconds * 1000, SILENCE_MS + LOOK_MS)
}

function reasonToReplace({ config, report, startedAt }: WorkerChild): string | undefined {
  if (report === undefined) return undefined
  const { maxRequests, maxMemory } = config
  const messages = report.ports.reduce((sum, { messagesIn }) => sum + messagesIn, 0)
  if (maxRequests !== undefined && messages >= maxRequests) return 'maxRequests'
  return maxMemory !== undefined && report.memory.rss > maxMemory && Date.now() - startedAt > YOUNG_MS ? 'maxMemory' : undefined
}
