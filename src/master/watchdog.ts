import type { Logger } from '../contracts/logger.ts'
import type { Slot } from './slot.ts'
import type { WorkerChild } from './worker-child.ts'
import type { Workers } from './workers.ts'

const LOOK_MS = 1000
// A worker that has nothing to do reports every 5 s: that long it may be silent.
const SILENCE_MS = 5500

/** Looks after workers that run: one that is stuck is killed, one that has done or grown enough is replaced. */
export class Watchdog {
  readonly #workers: Workers
  readonly #log: Logger
  readonly #replace: (slot: Slot, reason: string) => Promise<void>
  readonly #beingReplaced = new Set<Slot>()
  #timer: NodeJS.Timeout | undefined

  constructor(parts: { workers: Workers; log: Logger; replace: (slot: Slot, reason: string) => Promise<void> }) {
    this.#workers = parts.workers
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
    for (const slot of this.#workers.slots) {
      const { current } = slot
      if (current?.isReady !== true) continue
      if (isStuck(current)) this.#kill(slot, current)
      else void this.#recycle(slot, current)
    }
  }

  #kill(slot: Slot, child: WorkerChild): void {
    this.#log.error({ worker: slot.index, pid: child.pid, stuckSeconds: child.config.stuckSeconds }, 'Worker is stuck: its event loop does not run. Killing it')
    child.kill()
  }

  async #recycle(slot: Slot, child: WorkerChild): Promise<void> {
    const reason = reasonToReplace(child)
    if (reason === undefined || this.#beingReplaced.has(slot)) return
    this.#beingReplaced.add(slot)
    await this.#replace(slot, reason)
    this.#beingReplaced.delete(slot)
  }
}

function isStuck(child: WorkerChild): boolean {
  const silent = performance.now() - child.heardAt
  // Asked first: a worker with nothing to do says nothing for a while.
  if (silent > SILENCE_MS) child.send({ type: 'report', id: 0 })
  return silent > Math.max(child.config.stuckSeconds * 1000, SILENCE_MS + LOOK_MS)
}

function reasonToReplace({ config, report }: WorkerChild): string | undefined {
  if (report === undefined) return undefined
  const { maxRequests, maxMemory } = config
  const messages = report.ports.reduce((sum, { messagesIn }) => sum + messagesIn, 0)
  if (maxRequests !== undefined && messages >= maxRequests) return 'maxRequests'
  return maxMemory !== undefined && report.memory.rss > maxMemory ? 'maxMemory' : undefined
}
