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
  /** A private copy of the message in a frame. */
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
 * frame that arrives in a thousand pieces is linear work: the buffer doubles, and no byte is searched twice.
 */
export class FrameReader {
  #pending: Buffer | null = null
  #length = 0
  #scanned = 0

  /** Bytes received that are no whole frame yet. */
  get pendingBytes(): number {
    return this.#length
  }

  /**
   * Hands every whole message to `sink`. `chunk` is only read during the call.
   * @throws FrameError, after the good messages before the bad one
   */
  push(framing: Cutter, chunk: Buffer, length: number, sink: MessageSink): void {
    if (this.#pending === null) {
      const view = chunk.subarray(0, length)
      this.#keep(view, this.#cut(framing, view, 0, length, sink), length)
      return
    }
    const end = this.#append(chunk, length)
    const buffer = this.#pending.subarray(0, end)
    const rest = this.#cut(framing, buffer, this.#scanned, end, sink)
    if (rest === 0) this.#length = end
    else {
      // The frame that straddled is done: what is left begins anew, so that a large buffer is not kept for a small rest.
      this.#pending = null
      this.#length = 0
      this.#keep(buffer, rest, end)
    }
  }

  /** Returns where the first frame that is not whole begins, and notes how much of it was searched. */
  #cut(framing: Cutter, buffer: Buffer, scanned: number, end: number, sink: MessageSink): number {
    let start = 0
    let seen = scanned
    while (start < end) {
      const length = framing.frameLength(buffer, start, end, seen)
      if (length === 0) break
      sink.onMessage(framing.message(buffer, start, length))
      start += length
      seen = 0
    }
    this.#scanned = end - start
    return start
  }

  #keep(buffer: Buffer, start: number, end: number): void {
    if (start === end) return
    const length = end - start
    this.#pending = Buffer.allocUnsafeSlow(Math.max(FIRST_PENDING_BYTES, length))
    buffer.copy(this.#pending, 0, start, end)
    this.#length = length
  }

  #append(chunk: Buffer, length: number): number {
    const end = this.#length + length
    let pending = this.#pending as Buffer
    if (end > pending.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(end, 2 * pending.length))
      pending.copy(larger, 0, 0, this.#length)
      this.#pending = pending = larger
    }
    chunk.copy(pending, this.#length, 0, length)
    return end
  }
}

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
