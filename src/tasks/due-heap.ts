/** What waits for a time. */
export interface Due {
  readonly id: number
  due: number
  /** Where it is in its heap; -1 when it is in none. */
  heapIndex: number
}

/** Those that wait, the earliest first; of one time, the lower number first. A binary heap: what is added at the end costs nothing. */
export class DueHeap<T extends Due> {
  readonly #items: T[] = []

  get size(): number {
    return this.#items.length
  }

  get first(): T | undefined {
    return this.#items[0]
  }

  add(item: T): void {
    this.#items.push(item)
    this.#rise(item, this.#items.length - 1)
  }

  /** @returns whether it was there */
  remove(item: T): boolean {
    const at = item.heapIndex
    if (this.#items[at] !== item) return false
    item.heapIndex = -1
    const last = this.#items.pop()
    if (last === undefined || last === item) return true
    this.#rise(last, at)
    this.#sink(last, last.heapIndex)
    return true
  }

  /** In no order. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#items[Symbol.iterator]()
  }

  #rise(item: T, from: number): void {
    let at = from
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = this.#items[above] as T
      if (!isBefore(item, parent)) break
      this.#place(parent, at)
      at = above
    }
    this.#place(item, at)
  }

  #sink(item: T, from: number): void {
    let at = from
    for (;;) {
      let below = 2 * at + 1
      const left = this.#items[below]
      if (left === undefined) break
      const right = this.#items[below + 1]
      let child = left
      if (right !== undefined && isBefore(right, left)) {
        child = right
        below++
      }
      if (!isBefore(child, item)) break
      this.#place(child, at)
      at = below
    }
    this.#place(item, at)
  }

  #place(item: T, at: number): void {
    this.#items[at] = item
    item.heapIndex = at
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.due < b.due || (a.due === b.due && a.id < b.id)
}
