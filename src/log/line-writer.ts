import { writeSync } from '../node-fs.ts'

// What may wait for a slow reader; about what a pipe holds.
const MAX_PENDING_BYTES = 64 * 1024
const RETRY_MS = 100

/** As `writeSync` of node:fs: returns how many bytes were taken. */
export type WriteSync = (fd: number, bytes: Uint8Array, offset: number) => number

/**
 * Writes whole lines to a file descriptor before `write` returns, and never throws: a log that cannot be written must not
 * end the daemon. Lines that a full or closed descriptor does not take are dropped and counted.
 */
export class LineWriter {
  #fd: number
  readonly #write: WriteSync
  #dropped = 0
  #told = 0
  #isFailing = false
  /** The rest of a line that was cut by EAGAIN, and whole lines behind it. */
  #pending: Buffer = EMPTY
  #timer: NodeJS.Timeout | undefined

  constructor(fd: number, write: WriteSync = writeSync) {
    this.#fd = fd
    this.#write = write
  }

  /** Writes to another descriptor from now on; what waits for the old one goes there, too. Returns the old one. */
  redirect(fd: number): number {
    const old = this.#fd
    this.#fd = fd
    this.flush()
    return old
  }

  /** Lines lost so far. */
  get dropped(): number {
    return this.#dropped
  }

  write(line: string): void {
    this.flush()
    const bytes = Buffer.from(line)
    if (this.#pending.length > 0) this.#hold(bytes)
    else this.#put(bytes)
  }

  /** Lines lost since the last call; 0 while nothing can be written, for then nobody could be told. */
  takeLost(): number {
    if (this.#pending.length > 0 || this.#isFailing) return 0
    const lost = this.#dropped - this.#told
    this.#told = this.#dropped
    return lost
  }

  /** Tries once more to write what waits. */
  flush(): void {
    if (this.#pending.length === 0) return
    const waiting = this.#pending
    this.#pending = EMPTY
    this.#put(waiting)
  }

  #put(bytes: Buffer): void {
    let written = 0
    try {
      while (written < bytes.length) written += this.#write(this.#fd, bytes, written)
      this.#isFailing = false
    } catch (error) {
      const rest = bytes.subarray(written)
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') {
        this.#hold(rest)
        return
      }
      // EPIPE, ENOSPC, EIO, EBADF: there is nowhere to say so.
      this.#isFailing = true
      this.#dropped += countLines(rest)
    }
  }

  #hold(bytes: Buffer): void {
    if (this.#pending.length + bytes.length > MAX_PENDING_BYTES) {
      this.#dropped += countLines(bytes)
      return
    }
    this.#pending = Buffer.concat([this.#pending, bytes])
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.flush()
    }, RETRY_MS).unref()
  }
}

const EMPTY = Buffer.alloc(0)
const NEWLINE = 0x0a

function countLines(bytes: Buffer): number {
  let lines = 0
  for (const byte of bytes) if (byte === NEWLINE) lines++
  return lines
}
