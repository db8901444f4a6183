import type { ProcessDeath } from '../contracts/lifecycle.ts'
import type { WorkerChild } from './worker-child.ts'

// While no worker lives nobody can be told.
const MAX_PENDING = 100

/** How a process has ended. */
export interface Death {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Nobody has asked it to. */
  readonly isDeath: boolean
}

/** Deaths of processes, until a worker that lives can be told of them (`onWorkerError`): the master runs no code of the user's. */
export class Deaths {
  readonly #reader: () => WorkerChild | undefined
  #pending: ProcessDeath[] = []

  /** @param reader the worker that is told */
  constructor(reader: () => WorkerChild | undefined) {
    this.#reader = reader
  }

  add({ place, pid = 0 }: WorkerChild, { code, signal }: Death): void {
    const { role, index, name } = place
    if (this.#pending.length === MAX_PENDING) this.#pending.shift()
    this.#pending.push({ role: role === 'queue' ? 'task' : role, slot: index, ...(name !== undefined && { name }), pid, code, signal })
    this.tell()
  }

  tell(): void {
    if (this.#pending.length === 0) return
    const reader = this.#reader()
    if (reader === undefined) return
    for (const death of this.#pending) reader.send({ type: 'died', death })
    this.#pending = []
  }
}
