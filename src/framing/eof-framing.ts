import { type Cutter, put, tooLong } from './frame-reader.ts'

/** Messages that end with a fixed mark of 1 to 8 bytes. */
export class EofFraming implements Cutter {
  readonly maxLength: number
  readonly overhead: number
  readonly #eof: Buffer
  readonly #firstByte: number
  readonly #keepEof: boolean

  constructor(options: { eof: Buffer; maxLength: number; keepEof: boolean }) {
    this.#eof = options.eof
    this.#firstByte = options.eof.readUInt8(0)
    this.overhead = options.eof.length
    this.maxLength = options.maxLength
    this.#keepEof = options.keepEof
  }

  frameLength(buffer: Buffer, start: number, end: number, scanned: number): number {
    const size = this.#eof.length
    // The mark may straddle two reads, so step back by its length less one.
    const at = this.#find(buffer, start + Math.max(0, scanned - size + 1))
    if (at === -1) {
      // The last bytes may be the begin of the mark.
      if (end - start >= this.maxLength + size) throw tooLong(this.maxLength)
      return 0
    }
    if (at - start > this.maxLength) throw tooLong(this.maxLength)
    return at - start + size
  }

  message(buffer: Buffer, start: number, length: number): Buffer {
    return buffer.subarray(start, start + (this.#keepEof ? length : length - this.#eof.length))
  }

  /** Adds the mark; with `keepEof` only to a message that lacks it, so that what was received can be sent as it is. */
  encodeInto(target: Buffer, offset: number, message: string | Uint8Array, byteLength: number): number {
    const eof = this.#eof
    let at = put(target, offset, message, byteLength)
    if (this.#keepEof && byteLength >= eof.length && eof.compare(target, at - eof.length, at) === 0) return byteLength
    for (let i = 0; i < eof.length; i++) target[at++] = eof[i] as number
    return byteLength + eof.length
  }

  /** Looking for one byte takes a third of the time of looking for two: 27 and 73 ns to the end of 64 bytes, on Node 26. */
  #find(buffer: Buffer, from: number): number {
    let at = from - 1
    // Bytes that look like the begin of the mark must not cost a call each.
    for (let tries = 0; tries < 4; tries++) {
      at = buffer.indexOf(this.#firstByte, at + 1)
      if (at === -1 || this.#isMark(buffer, at)) return at
    }
    return buffer.indexOf(this.#eof, at + 1)
  }

  #isMark(buffer: Buffer, at: number): boolean {
    const eof = this.#eof
    for (let i = 1; i < eof.length; i++) if (buffer[at + i] !== eof[i]) return false
    return true
  }
}
