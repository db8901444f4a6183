import { getHeapStatistics } from 'node:v8'
import { getCollector } from '../ipc/collector.ts'

// Of a heap like this 20 ms are enough. What an app has that holds a hundred times as much would stand still for seconds.
const LARGE_HEAP = 64 * 1024 * 1024

/**
 * Gives back what loading has left behind in this process, some 6 MiB of 25: V8 itself does so only when there is more to clean, which in a process that
 * has nothing to do may be never.
 */
export function collectStartGarbage(): void {
  if (getHeapStatistics().used_heap_size > LARGE_HEAP) return
  getCollector()?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
