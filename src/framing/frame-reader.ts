import { FrameError } from '../errors.ts'

/** How a port cuts its byte stream into messages, and frames what it sends. Made once per port; holds no bytes of its own. */
export interface Cutter {
  /** The longest message, in bytes. */
  readonly maxLength: number
  /** Bytes that a frame is longer than its message at most. */
  readonly overhead: number
  /**
   * Looks for the first whole frame in `buffer` from `start` on; `end` is the buffer's length.
   * @param scanned how many of these bytes an earlier call has seen without finding an end
   * @returns the frame's length in bytes, or 0 when more bytes are needed
   * @throws FrameError
   */
  frameLength(buffer: Buffer, start: number, end: number, scanned: number): number
  /** The message in a frame: a view of `buffer`, which nobody will change, or bytes of its own. */
  message(buffer: Buffer, start: number, length: number): Buffer
  /** Turns a message into the bytes that `encodeInto` is given, where that cannot be done in place. May throw anything. */
  encode?(message: string | Uint8Array): Uint8Array
  /**
   * Frames a message into `target`, which has room for `byteLength + overhead` bytes from `offset` on.
   * @returns the bytes written
   */
  encodeInto(target: Buffer, offset: number, message: string | Uint8Array, byteLength: number): number
}

/** Who gets the messages. */
export interface MessageSink {
  onMessage(message: Buffer): void
}

const FIRST_PENDING_BYTES = 256

/**
 * Cuts what a connection receives into messages. Owns only what straddles reads: nothing while no frame is cut in half. A
 * frame that arrives in a thousand pieces is linear work: the buffer doubles, and no byte of it is searched twice.
 */
export class FrameReader {
  #pending: Buffer | null = null
  #length = 0
  // How many of the pending bytes have been searched.
  #scanned = 0

  /** Bytes received that are no whole frame yet. */
  get pendingBytes(): number {
    return this.#length
  }

  /** Those bytes. A view: the next push changes it. */
  get pending(): Buffer {
    return this.#pending === null ? EMPTY : this.#pending.subarray(0, this.#length)
  }

  /**
   * Hands every whole message to `sink`. `chunk` is only read during the call.
   * @throws FrameError, after the good messages before the bad one
   */
  push(framing: Cutter, chunk: Buffer, length: number, sink: MessageSink): void {
    const used = this.#length === 0 ? 0 : this.#complete(framing, chunk, length, sink)
    if (this.#length > 0) return
    // One copy for all messages of the read; they are views of it. As with Buffer's own pool, a message that is kept keeps it.
    const own = Buffer.allocUnsafe(length - used)
    chunk.copy(own, 0, used, length)
    this.#keep(own, this.#cut(framing, own, sink))
  }

  /**
   * Goes on with the frame that straddles reads. Takes about as much of the chunk as is pending at a time: where a frame
   * ends nearby, the rest of the read is not copied twice.
   * @returns how many bytes of the chunk are done with: all of them while something is pending
   */
  #complete(framing: Cutter, chunk: Buffer, length: number, sink: MessageSink): number {
    let used = 0
    while (this.#length > 0 && used < length) {
      const taken = Math.min(length - used, Math.max(FIRST_PENDING_BYTES, this.#length))
      const pending = this.#append(framing, chunk, used, taken)
      used += taken
      const frameLength = framing.frameLength(pending.subarray(0, this.#length), 0, this.#length, this.#scanned)
      this.#scanned = this.#length
      if (frameLength > 0) used -= this.#take(framing, pending, frameLength, used, sink)
    }
    return used
  }

  /**
   * Hands out the first pending frame, and what was taken of the chunk too much is not pending any more.
   * @returns how much that is, at most `used`
   */
  #take(framing: Cutter, pending: Buffer, frameLength: number, used: number, sink: MessageSink): number {
    const frame = Buffer.allocUnsafe(frameLength)
    pending.copy(frame, 0, 0, frameLength)
    const rest = this.#length - frameLength
    const tooMuch = Math.min(rest, used)
    this.#length = rest - tooMuch
    this.#scanned = 0
    // Only a custom framing that looks ahead leaves some: it needed the chunk to see that a frame had ended before it.
    if (this.#length > 0) pending.copyWithin(0, frameLength, frameLength + this.#length)
    sink.onMessage(framing.message(frame, 0, frameLength))
    return tooMuch
  }

  /** Returns where the first frame that is not whole begins, and notes how much of it was searched. */
  #cut(framing: Cutter, buffer: Buffer, sink: MessageSink): number {
    const end = buffer.length
    let start = 0
    while (start < end) {
      const length = framing.frameLength(buffer, start, end, 0)
      if (length === 0) break
      sink.onMessage(framing.message(buffer, start, length))
      start += length
    }
    this.#scanned = end - start
    return start
  }

  /** What begins at `start` waits for the next read. An idle connection holds no buffer, and no large one for a small rest. */
  #keep(chunk: Buffer, start: number): void {
    const length = chunk.length - start
    if (length === 0) {
      this.#pending = null
      return
    }
    const size = Math.max(FIRST_PENDING_BYTES, length)
    // Not of Buffer's pool: a client that stops in the middle of a frame would keep all of a pool's block alive.
    if (this.#pending === null || this.#pending.length < size || this.#pending.length > 4 * size) this.#pending = Buffer.allocUnsafeSlow(size)
    chunk.copy(this.#pending, 0, start)
    this.#length = length
  }

  #append(framing: Cutter, chunk: Buffer, from: number, length: number): Buffer {
    const end = this.#length + length
    let pending = this.#pending
    if (pending === null || end > pending.length) {
      // Doubles, but not past the longest frame: no more than that and one read is ever held.
      const doubled = Math.min(2 * this.#length, framing.maxLength + framing.overhead)
      const larger = Buffer.allocUnsafeSlow(Math.max(end, doubled))
      pending?.copy(larger, 0, 0, this.#length)
      this.#pending = pending = larger
    }
    chunk.copy(pending, this.#length, from, from + length)
    this.#length = end
    return pending
  }
}

const EMPTY = Buffer.alloc(0)

/** The error for a message over its limit. */
export function tooLong(maxLength: number): FrameError {
  return new FrameError('frame_too_long', `Message is longer than maxLength, ${maxLength} bytes`)
}

/** Writes text or bytes; returns the position behind them. */
export function put(target: Buffer, offset: number, message: string | Uint8Array, byteLength: number): number {
  if (typeof message === 'string') target.write(message, offset)
  else target.set(message, offset)
  return offset + byteLength
}
