import { getHeapStatistics } from 'node:v8'
import { getCollector } from '../ipc/collector.ts'

// 20 to 100 ms of work. A heap that is larger, as of an app that holds much, would take longer, and stays as it is.
const LARGE_HEAP = 64 * 1024 * 1024
// It pays when the process has grown by so much since the last time, or so many connections have come or gone.
const MUCH = 16 * 1024 * 1024
const MANY = 1000

/**
 * Gives memory back when a worker has nothing to do: what loading has left behind, some 6 MiB of 25, and later what many connections have. V8 itself
 * does so only when there is more to clean, which in a process that idles may be never.
 */
export class Rest {
  #rss = -MUCH
  #numOpen = 0

  /** To be called every few seconds of rest. @param numOpen how many connections are open */
  cleanUp(numOpen: number): void {
    if (process.memoryUsage.rss() - this.#rss < MUCH && Math.abs(numOpen - this.#numOpen) < MANY) {
      // What idling allocates would fill V8's young generation, 2 MiB, in some minutes. A third of a millisecond.
      getCollector()?.({ type: 'minor' })
      return
    }
    if (getHeapStatistics().used_heap_size <= LARGE_HEAP) getCollector()?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    this.#rss = process.memoryUsage.rss()
    this.#numOpen = numOpen
  }
}
