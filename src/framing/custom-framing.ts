import type { Framing } from '../contracts/framing.ts'
import { FrameError } from '../errors.ts'
import { type Cutter, put, tooLong } from './frame-reader.ts'

/** Framing by a module of the user's. What it throws ends the connection that it was asked about, and nothing else. */
export class CustomFraming implements Cutter {
  readonly maxLength: number
  // Frames that it encodes have their own buffer: see encodeInto.
  readonly overhead: number = 0
  readonly #framing: Framing

  constructor(framing: Framing, maxLength: number) {
    this.#framing = framing
    this.maxLength = maxLength
  }

  frameLength(buffer: Buffer, start: number, end: number, scanned: number): number {
    const length = guard('frameLength', () => this.#framing.frameLength(start === 0 ? buffer : buffer.subarray(start), scanned))
    if (!Number.isInteger(length) || length < 0 || length > end - start) {
      throw new FrameError('error', `frameLength() of the custom framing returned ${length}: expected 0, or a length up to ${end - start}`)
    }
    if (length > this.maxLength || (length === 0 && end - start > this.maxLength)) throw tooLong(this.maxLength)
    return length
  }

  message(buffer: Buffer, start: number, length: number): Buffer {
    const frame = Buffer.allocUnsafe(length)
    buffer.copy(frame, 0, start, start + length)
    const framing = this.#framing
    return framing.decode === undefined ? frame : guard('decode', () => framing.decode?.(frame) ?? frame)
  }

  encode(message: string | Uint8Array): Uint8Array {
    const bytes = typeof message === 'string' ? Buffer.from(message) : Buffer.from(message.buffer, message.byteOffset, message.byteLength)
    return this.#framing.encode?.(bytes) ?? bytes
  }

  encodeInto(target: Buffer, offset: number, message: string | Uint8Array, byteLength: number): number {
    return put(target, offset, message, byteLength) - offset
  }
}

function guard<T>(name: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    if (error instanceof FrameError) throw error
    throw new FrameError('error', `${name}() of the custom framing threw: ${error instanceof Error ? error.message : String(error)}`)
  }
}
