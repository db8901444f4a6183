import { closeSync, ftruncateSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const BYTES = 8

/**
 * Which tasks run in a task worker now, in a file on the shared memory: what is written there outlives a kill -9, so the queue can read
 * which of the tasks that the dead process had it was at. A write is one system call of about a microsecond.
 */
export class RunningMarks {
  readonly #fd: number
  readonly #free: number[]
  readonly #bytes: Buffer = Buffer.alloc(BYTES)

  /** @throws what open(2) says */
  constructor(path: string, concurrency: number) {
    this.#fd = openSync(path, 'w', 0o600)
    ftruncateSync(this.#fd, concurrency * BYTES)
    this.#free = Array.from({ length: concurrency }, (_, slot) => concurrency - 1 - slot)
  }

  /** @returns the place of the mark */
  set(id: number): number {
    const slot = this.#free.pop() ?? 0
    this.#write(slot, id)
    return slot
  }

  /** It is done. The mark stays until another takes its place, or is wiped out when the place is to be empty for long. */
  release(slot: number, { isWiped }: { isWiped: boolean }): void {
    if (isWiped) this.#write(slot, 0)
    this.#free.push(slot)
  }

  close(): void {
    closeSync(this.#fd)
  }

  #write(slot: number, id: number): void {
    this.#bytes.writeDoubleLE(id)
    writeSync(this.#fd, this.#bytes, 0, BYTES, slot * BYTES)
  }
}

/** Where the marks of a process are. */
export function marksPath(memoryDir: string, owner: number): string {
  return join(memoryDir, `running-${owner}`)
}

/** What ran in a process that has ended; undefined when it left no word. The file goes. */
export function takeMarks(path: string): ReadonlySet<number> | undefined {
  try {
    const bytes = readFileSync(path)
    rmSync(path, { force: true })
    return new Set(Array.from({ length: Math.floor(bytes.length / BYTES) }, (_, slot) => bytes.readDoubleLE(slot * BYTES)).filter((id) => id > 0))
  } catch {
    // A worker has none, and neither has a task worker that never began.
    return undefined
  }
}
