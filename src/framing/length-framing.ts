import { FrameError } from '../errors.ts'
import { type Cutter, put, tooLong } from './frame-reader.ts'

interface Field {
  readonly size: number
  readonly max: number
  read(buffer: Buffer, at: number): number
  write(buffer: Buffer, value: number, at: number): number
}

const FIELDS: Readonly<Record<'u8' | 'u16be' | 'u16le' | 'u32be' | 'u32le', Field>> = {
  u8: { size: 1, max: 0xff, read: (b, at) => b.readUInt8(at), write: (b, v, at) => b.writeUInt8(v, at) },
  u16be: { size: 2, max: 0xffff, read: (b, at) => b.readUInt16BE(at), write: (b, v, at) => b.writeUInt16BE(v, at) },
  u16le: { size: 2, max: 0xffff, read: (b, at) => b.readUInt16LE(at), write: (b, v, at) => b.writeUInt16LE(v, at) },
  u32be: { size: 4, max: 0xffff_ffff, read: (b, at) => b.readUInt32BE(at), write: (b, v, at) => b.writeUInt32BE(v, at) },
  u32le: { size: 4, max: 0xffff_ffff, read: (b, at) => b.readUInt32LE(at), write: (b, v, at) => b.writeUInt32LE(v, at) },
}

/** Frames that carry their length. A message is its frame without the length field; sending puts the field back. */
export class LengthFraming implements Cutter {
  readonly maxLength: number
  readonly overhead: number
  readonly #field: Field
  readonly #offset: number
  readonly #bodyOffset: number

  constructor(options: { field: keyof typeof FIELDS; offset: number; bodyOffset?: number | undefined; maxLength: number }) {
    this.#field = FIELDS[options.field]
    this.#offset = options.offset
    this.#bodyOffset = options.bodyOffset ?? options.offset + this.#field.size
    this.maxLength = options.maxLength
    this.overhead = this.#field.size
  }

  frameLength(buffer: Buffer, start: number, end: number): number {
    const header = this.#offset + this.#field.size
    if (end - start < header) return 0
    const length = this.#bodyOffset + this.#field.read(buffer, start + this.#offset)
    if (length < header) throw new FrameError('error', `Frame says that it is ${length} bytes long, shorter than its header of ${header}`)
    if (length - this.#field.size > this.maxLength) throw tooLong(this.maxLength)
    return end - start < length ? 0 : length
  }

  message(buffer: Buffer, start: number, length: number): Buffer {
    const { size } = this.#field
    const offset = this.#offset
    if (offset === 0) return buffer.subarray(start + size, start + length)
    const message = Buffer.allocUnsafe(length - size)
    buffer.copy(message, 0, start, start + offset)
    buffer.copy(message, offset, start + offset + size, start + length)
    return message
  }

  /** @throws RangeError when the message lacks what precedes the counted bytes, or the field cannot hold its length */
  encodeInto(target: Buffer, offset: number, message: string | Uint8Array, byteLength: number): number {
    const { size, max } = this.#field
    const value = byteLength + size - this.#bodyOffset
    if (byteLength < this.#offset || value < 0 || value > max) {
      const shortest = Math.max(this.#offset, this.#bodyOffset - size)
      throw new RangeError(`Cannot frame a message of ${byteLength} bytes: the port's length field takes ${shortest} to ${this.#bodyOffset + max - size}`)
    }
    // Behind its place at first: then what comes before the field moves to the front.
    put(target, offset + size, message, byteLength)
    if (this.#offset > 0) target.copyWithin(offset, offset + size, offset + size + this.#offset)
    this.#field.write(target, value, offset + this.#offset)
    return byteLength + size
  }
}
