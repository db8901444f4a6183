import { type Cutter, put } from './frame-reader.ts'

/** No framing: what one read brings is one message. */
export class RawFraming implements Cutter {
  readonly maxLength = Number.MAX_SAFE_INTEGER
  readonly overhead = 0

  frameLength(_buffer: Buffer, start: number, end: number): number {
    return end - start
  }

  message(buffer: Buffer, start: number, length: number): Buffer {
    return buffer.subarray(start, start + length)
  }

  encodeInto(target: Buffer, offset: number, message: string | Uint8Array, byteLength: number): number {
    return put(target, offset, message, byteLength) - offset
  }
}
