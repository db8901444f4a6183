import fc from 'fast-check'
import type { Framing } from '../../src/contracts/framing.ts'
import { CustomFraming } from '../../src/framing/custom-framing.ts'
import { EofFraming } from '../../src/framing/eof-framing.ts'
import type { Cutter } from '../../src/framing/frame-reader.ts'
import { LengthFraming } from '../../src/framing/length-framing.ts'

const NO_LIMIT = 4 * 1024 * 1024

/** End marks that are hard: they overlap themselves, or begin like what is before them. */
export const MARKS: readonly string[] = [
  '\n',
  '\0',
  '\r\n',
  'aa',
  'aba',
  'aab',
  '\r\r\n',
  '\r\n\r\n',
  'aabaa',
  'ababab',
  '\r\n.\r\n..',
  'aaaaaaab',
  '\xff\xff\xfe',
]

export const FIELDS = ['u8', 'u16be', 'u16le', 'u32be', 'u32le'] as const

export function eof(mark: string, options: { maxLength?: number; keepEof?: boolean } = {}): EofFraming {
  return new EofFraming({ eof: Buffer.from(mark, 'latin1'), maxLength: NO_LIMIT, keepEof: false, ...options })
}

export function length(field: (typeof FIELDS)[number], options: { offset?: number; bodyOffset?: number; maxLength?: number } = {}): LengthFraming {
  return new LengthFraming({ field, offset: 0, maxLength: NO_LIMIT, ...options })
}

export function custom(framing: Framing, options: { maxLength?: number } = {}): CustomFraming {
  return new CustomFraming(framing, { module: './framing.ts', maxLength: NO_LIMIT, ...options })
}

/** A frame goes on for as long as lines begin with two spaces: its end is seen only in what follows. */
export class FoldedLines implements Framing {
  frameLength(buffer: Buffer, scanned: number): number {
    for (let i = Math.max(0, scanned - 2); i + 2 < buffer.length; i++) {
      if (buffer[i] === 0x0a && (buffer[i + 1] !== 0x20 || buffer[i + 2] !== 0x20)) return i + 1
    }
    return 0
  }
}

/** Digits, a colon, as many bytes, a comma: netstrings. Anything else throws. */
export class Netstrings implements Framing {
  frameLength(buffer: Buffer): number {
    const colon = buffer.subarray(0, 6).indexOf(':')
    const digits = buffer.toString('latin1', 0, colon === -1 ? Math.min(buffer.length, 6) : colon)
    if (!/^\d*$/.test(digits) || (colon === -1 && buffer.length > 5)) throw new SyntaxError(`no netstring: ${digits}`)
    if (colon === -1) return 0
    const end = colon + 1 + Number(digits)
    if (buffer.length <= end) return 0
    if (buffer[end] !== 0x2c) throw new SyntaxError('no comma')
    return end + 1
  }

  decode(frame: Buffer): Buffer {
    return frame.subarray(frame.indexOf(':') + 1, -1)
  }

  encode(message: Buffer): Uint8Array {
    return Buffer.concat([Buffer.from(`${message.length}:`), message, Buffer.from(',')])
  }
}

const lengths = fc
  .record({ field: fc.constantFrom(...FIELDS), offset: fc.nat(5), gap: fc.integer({ min: -8, max: 4 }), maxLength: fc.integer({ min: 0, max: 600 }) })
  .map(({ field, offset, gap, maxLength }) => length(field, { offset, bodyOffset: Math.max(0, offset + gap), maxLength }))

/** Any framing, with limits that short messages reach. */
export const anyFraming: fc.Arbitrary<Cutter> = fc.oneof(
  fc
    .record({ mark: fc.constantFrom(...MARKS), maxLength: fc.integer({ min: 0, max: 40 }), keepEof: fc.boolean() })
    .map(({ mark, ...options }) => eof(mark, options)),
  lengths,
  fc.constant(custom(new Netstrings())),
  fc.constant(custom(new FoldedLines())),
  fc.integer({ min: 1, max: 60 }).map((maxLength) => custom({ frameLength: (buffer) => buffer.indexOf('a') + 1 }, { maxLength })),
)

/** Bytes in which marks, short lengths and netstrings are frequent. */
export const anyBytes: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(fc.constantFrom(...MARKS, 'a', 'b', '\r', ' ', '  ', '1:a,', '3:abc,', '\0\x01', '\0\0\0\x02'), fc.string({ unit: 'binary', maxLength: 4 })),
    {
      maxLength: 60,
    },
  )
  .map((parts) => Buffer.from(parts.join(''), 'latin1'))

/** Sizes of reads, most of them small. */
export const anySizes: fc.Arbitrary<number[]> = fc.array(fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 700 })), {
  minLength: 1,
  maxLength: 12,
})
