import type { TaskStore } from '../shared/task-store.ts'

/** The processes that deliver: how far the numbers of each have been accepted, so that one which is sent twice is taken once. */
export class Producers {
  readonly #store: TaskStore
  readonly #last = new Map<number, number>()
  readonly #owners = new Map<number, number>()

  constructor(store: TaskStore) {
    this.#store = store
  }

  load(): void {
    for (const [producer, last] of this.#store.producers()) this.#last.set(producer, last)
  }

  last(producer: number): number {
    return this.#last.get(producer) ?? 0
  }

  accept(producer: number, last: number): void {
    this.#last.set(producer, last)
    this.#store.setProducer(producer, last)
  }

  greet(producer: number, owner: number): void {
    this.#owners.set(producer, owner)
  }

  /** The process, if it lives. */
  ownerOf(producer: number): number | undefined {
    return this.#owners.get(producer)
  }

  lost(owner: number): void {
    for (const [producer, known] of this.#owners) if (known === owner) this.#remove(producer)
  }

  /** Those that have not said a word since the queue was loaded are of an earlier life. */
  forgetSilent(): void {
    for (const producer of this.#last.keys()) if (!this.#owners.has(producer)) this.#remove(producer)
  }

  #remove(producer: number): void {
    this.#owners.delete(producer)
    if (this.#last.delete(producer)) this.#store.removeProducer(producer)
  }
}
