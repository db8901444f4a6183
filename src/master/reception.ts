import type { Logger } from '../contracts/logger.ts'
import type { ToMaster } from '../ipc/messages.ts'
import { placeText } from '../ipc/place.ts'
import type { MetricsBook } from '../metrics/metrics-book.ts'
import { Store } from '../shared/store.ts'
import { type Death, Deaths } from './deaths.ts'
import type { Dispatch } from './dispatch.ts'
import type { HeapSnapshots } from './heap-snapshots.ts'
import type { SharedState } from './shared-state.ts'
import type { Slot } from './slot.ts'
import type { Staff } from './staff.ts'
import type { WorkerChild } from './worker-child.ts'
import type { Workers } from './workers.ts'

export interface ReceptionParts {
  readonly log: Logger
  readonly book: MetricsBook
  readonly heaps: HeapSnapshots
  /** What is there now: none of these is from the start to the end. */
  readonly now: () => {
    readonly workers?: Workers | undefined
    readonly staff?: Staff | undefined
    readonly dispatch?: Dispatch | undefined
    readonly shared?: SharedState | undefined
  }
  readonly stop: () => void
  readonly reload: () => void
  /** Replaces a worker that wants to end. */
  readonly recycle: (slot: Slot, reason: string) => void
}

/** What the processes say to the master, and how they end: who is told of it, and what is done. */
export class Reception {
  readonly #parts: ReceptionParts
  readonly #deaths: Deaths

  constructor(parts: ReceptionParts) {
    this.#parts = parts
    this.#deaths = new Deaths(() => parts.now().workers?.slots.find(({ isReady }) => isReady)?.current)
  }

  hearWorker(slot: Slot, child: WorkerChild, message: ToMaster): void {
    const { log, book, heaps } = this.#parts
    const { dispatch } = this.#parts.now()
    if (message.type === 'taken') dispatch?.taken(message.id)
    else if (message.type === 'missed') dispatch?.missed(message.id, child)
    else if (message.type === 'report') book.record(slot.index, message.report)
    else if (message.type === 'heap') heaps.written(child, message.error)
    else if (message.type === 'stop') this.#parts.stop()
    else if (message.type === 'reload') this.#parts.reload()
    else if (message.type === 'failed') log.error({ worker: slot.index }, `Worker cannot start: ${message.message}`)
    // What follows is of the one that serves: another may be draining beside it.
    else if (child !== slot.current) return
    else if (message.type === 'accepted') dispatch?.accepted(slot, message.port, message.connections)
    else if (message.type === 'rested') dispatch?.reopen(slot, message.port)
    else if (message.type === 'terminated') this.#parts.recycle(slot, 'SIGTERM')
  }

  hearStaff(child: WorkerChild, message: ToMaster): void {
    const { log, book } = this.#parts
    if (message.type === 'report') book.record(placeText(child.place), message.report)
    else if (message.type === 'stop') this.#parts.stop()
    else if (message.type === 'reload') this.#parts.reload()
    else if (message.type === 'failed') log.error({ process: placeText(child.place) }, `Process cannot start: ${message.message}`)
    // It dies, and the next one begins.
    else if (message.type === 'terminated') void child.stop(child.config.maxWaitSeconds)
    else if (message.type === 'kill') this.#parts.now().staff?.killStuck(message.owner)
  }

  workerReady(slot: Slot, child: WorkerChild): void {
    this.#parts.log.info({ worker: slot.index, childPid: child.pid }, 'Worker ready')
    this.#parts.now().dispatch?.ready()
    this.#deaths.tell()
  }

  workerEnded(slot: Slot, child: WorkerChild, death: Death): void {
    const { dispatch, shared } = this.#parts.now()
    this.staffEnded(child, death)
    const connections = shared?.forget(child.owner) ?? 0
    if (connections > 0) this.#parts.log.warn({ worker: slot.index, connections }, 'Connections ended with their worker')
    if (slot.current === undefined) dispatch?.changed(slot)
    dispatch?.lost(child)
  }

  staffEnded(child: WorkerChild, death: Death): void {
    if (death.isDeath && child.config.lifecycle.length > 0) this.#deaths.add(child, death)
    Store.checkReaders()
    this.#parts.book.retire(child.pid ?? 0)
  }
}
