import { type Cutter, put, tooLong } from './frame-reader.ts'

/** Messages that end with a fixed mark of 1 to 8 bytes. */
export class EofFraming implements Cutter {
  readonly maxLength: number
  readonly overhead: number
  readonly #eof: Buffer
  readonly #keepEof: boolean

  constructor(options: { eof: Buffer; maxLength: number; keepEof: boolean }) {
    this.#eof = options.eof
    this.overhead = options.eof.length
    this.maxLength = options.maxLength
    this.#keepEof = options.keepEof
  }

  frameLength(buffer: Buffer, start: number, end: number, scanned: number): number {
    const eof = this.#eof
    // The mark may straddle two reads, so step back by its length less one.
    const from = start + Math.max(0, scanned - eof.length + 1)
    const at = buffer.indexOf(eof, from)
    if (at === -1) {
      // The last bytes may be the begin of the mark.
      if (end - start >= this.maxLength + eof.length) throw tooLong(this.maxLength)
      return 0
    }
    if (at - start > this.maxLength) throw tooLong(this.maxLength)
    return at - start + eof.length
  }

  message(buffer: Buffer, start: number, length: number): Buffer {
    const size = this.#keepEof ? length : length - this.#eof.length
    const message = Buffer.allocUnsafe(size)
    buffer.copy(message, 0, start, start + size)
    return message
  }

  encodeInto(target: Buffer, offset: number, message: string | Uint8Array, byteLength: number): number {
    const eof = this.#eof
    let at = put(target, offset, message, byteLength)
    if (this.#keepEof && byteLength >= eof.length && eof.compare(target, at - eof.length, at) === 0) return byteLength
    for (let i = 0; i < eof.length; i++) target[at++] = eof[i] as number
    return byteLength + eof.length
  }
}
