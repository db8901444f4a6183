import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { type Collect, getCollector } from './collector.ts'

// A look costs two microseconds: next to nothing beside what so many bytes have cost.
const LOOK_BYTES = 2 * 1024 * 1024
// What may have been added since the last cleaning. A cleaning takes a millisecond or two.
const LIMIT_BYTES = 12 * 1024 * 1024

let collect: Collect | undefined
let passed = 0
let base = 0

/**
 * Keeps small what dead buffers hold, in this process. Each read makes a buffer, and each message that goes on to others; they are dead
 * within a turn of the event loop. V8 sees only the small objects in front of them, so it cleans when they have become 32
 * to 64 MiB outside of its heap, and then all of the heap. Told earlier, it cleans the young generation alone: less memory, and a shorter pause.
 */
export function watchYoungBuffers(): void {
  // On a busy machine the thread that frees them has its turn long after as many more have been made.
  setFlagsFromString('--no-concurrent-array-buffer-sweeping')
  collect = getCollector()
  base = getHeapStatistics().external_memory
}

/** Buffers of so many bytes have been read, or are to be sent. */
export function buffersPassed(bytes: number): void {
  passed += bytes
  if (passed < LOOK_BYTES || collect === undefined) return
  passed = 0
  const now = getHeapStatistics().external_memory
  if (now < base) base = now
  if (now - base < LIMIT_BYTES) return
  collect({ type: 'minor' })
  base = getHeapStatistics().external_memory
}
