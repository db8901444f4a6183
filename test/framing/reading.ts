import fc from 'fast-check'
import { FrameError } from '../../src/errors.ts'
import { type Cutter, FrameReader } from '../../src/framing/frame-reader.ts'

/** What came of reading some bytes. */
export interface Outcome {
  /** Each message as latin1, so that a difference can be read. */
  readonly messages: readonly string[]
  readonly error: FrameError['reason'] | undefined
  readonly pendingBytes: number
}

/** Reads chunks as a socket does: through one buffer, whose bytes are others as soon as `push` is back. */
export class Reading {
  readonly messages: Buffer[] = []
  readonly reader: FrameReader = new FrameReader()
  readonly #framing: Cutter
  #readBuffer: Buffer = Buffer.alloc(64)

  constructor(framing: Cutter) {
    this.#framing = framing
  }

  /** @throws FrameError */
  push(chunk: Uint8Array): void {
    // Behind the chunk lies the end of an earlier, longer read.
    if (chunk.length > this.#readBuffer.length) this.#readBuffer = Buffer.alloc(2 * chunk.length)
    this.#readBuffer.set(chunk)
    try {
      this.reader.push(this.#framing, this.#readBuffer, chunk.length, this)
    } finally {
      this.#readBuffer.fill('\r\n')
    }
  }

  onMessage(message: Buffer): void {
    this.messages.push(message)
  }
}

/** Reads until a FrameError; any other error is the test's failure. */
export function read(framing: Cutter, chunks: Iterable<Uint8Array>): Outcome {
  const reading = new Reading(framing)
  let error: FrameError['reason'] | undefined
  try {
    for (const chunk of chunks) reading.push(chunk)
  } catch (thrown) {
    if (!(thrown instanceof FrameError)) throw thrown
    error = thrown.reason
  }
  // How much was pending when it failed depends on the cutting.
  const pendingBytes = error === undefined ? reading.reader.pendingBytes : 0
  return { messages: reading.messages.map((message) => message.toString('latin1')), error, pendingBytes }
}

export function bytewise(bytes: Uint8Array): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.from([byte]))
}

/** Cuts bytes at places given in thousandths, some of which may be the same: an empty read changes nothing. */
export function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = places.map((place) => Math.floor((place * bytes.length) / 1000)).sort((a, b) => a - b)
  return [...at, bytes.length].map((end, i) => bytes.subarray(i === 0 ? 0 : at[i - 1], end))
}

export const places: fc.Arbitrary<number[]> = fc.array(fc.nat({ max: 1000 }), { maxLength: 20 })

/** The frame that a port sends for a message. */
export function frame(framing: Cutter, unframed: string | Uint8Array): Buffer {
  const message = framing.encode === undefined ? unframed : framing.encode(unframed)
  const byteLength = Buffer.byteLength(message)
  const around = 3
  const target = Buffer.alloc(around + byteLength + framing.overhead + around, 0xee)
  const length = framing.encodeInto(target, around, message, byteLength)
  if (length > byteLength + framing.overhead) throw new Error(`Frame of ${length} bytes is longer than promised`)
  const outside = Buffer.concat([target.subarray(0, around), target.subarray(around + length)])
  if (!outside.every((byte) => byte === 0xee)) throw new Error('Wrote outside the frame')
  return target.subarray(around, around + length)
}
