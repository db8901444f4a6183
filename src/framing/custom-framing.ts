import type { Framing } from '../contracts/framing.ts'
import { FrameError } from '../errors.ts'
import { valueText } from '../value-text.ts'
import { type Cutter, put, tooLong } from './frame-reader.ts'
import { checkMessage } from './message-length.ts'

/**
 * Framing by a module of the user's. What it throws, or returns wrongly, ends the connection that it was asked about and
 * nothing else. Its `maxLength` is for all that the module has to see of one frame: what a message is, only `decode` knows.
 */
export class CustomFraming implements Cutter {
  readonly maxLength: number
  // Frames that it encodes have their own buffer: see encode.
  readonly overhead: number = 0
  readonly #framing: Framing
  readonly #module: string

  constructor(framing: Framing, options: { module: string; maxLength: number }) {
    this.#framing = framing
    this.#module = options.module
    this.maxLength = options.maxLength
  }

  frameLength(buffer: Buffer, start: number, end: number, scanned: number): number {
    const available = end - start
    const length = this.#ask(buffer, start, scanned)
    if (!Number.isInteger(length) || length < 0 || length > available) {
      throw this.#wrong('frameLength', length, `0, or a length up to the ${available} bytes that are there`)
    }
    if (length > this.maxLength || (length === 0 && available > this.maxLength)) throw tooLong(this.maxLength)
    return length
  }

  message(buffer: Buffer, start: number, length: number): Buffer {
    const frame = buffer.subarray(start, start + length)
    if (this.#framing.decode === undefined) return frame
    const message = this.#decode(frame)
    if (Buffer.isBuffer(message)) return message
    throw this.#wrong('decode', message, 'a Buffer')
  }

  /** @throws what the module's `encode` throws; TypeError when it returns no bytes */
  encode(message: string | Uint8Array): Uint8Array {
    checkMessage(message)
    const bytes = typeof message === 'string' ? Buffer.from(message) : Buffer.from(message.buffer, message.byteOffset, message.byteLength)
    if (this.#framing.encode === undefined) return bytes
    const frame = this.#framing.encode(bytes)
    if (frame instanceof Uint8Array) return frame
    throw new TypeError(`encode() of "${this.#module}" returned ${valueText(frame)}: expected a Uint8Array`)
  }

  encodeInto(target: Buffer, offset: number, message: string | Uint8Array, byteLength: number): number {
    return put(target, offset, message, byteLength) - offset
  }

  #ask(buffer: Buffer, start: number, scanned: number): number {
    try {
      return this.#framing.frameLength(start === 0 ? buffer : buffer.subarray(start), scanned)
    } catch (error) {
      throw this.#failed('frameLength', error)
    }
  }

  #decode(frame: Buffer): unknown {
    try {
      return this.#framing.decode?.(frame)
    } catch (error) {
      throw this.#failed('decode', error)
    }
  }

  #failed(method: string, error: unknown): FrameError {
    return new FrameError('error', `${method}() of "${this.#module}" threw: ${error instanceof Error ? error.message : valueText(error)}`)
  }

  #wrong(method: string, returned: unknown, expected: string): FrameError {
    return new FrameError('error', `${method}() of "${this.#module}" returned ${valueText(returned)}: expected ${expected}`)
  }
}
