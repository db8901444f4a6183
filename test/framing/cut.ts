import { FrameError } from '../../src/errors.ts'
import { type Cutter, FrameReader } from '../../src/framing/frame-reader.ts'

/** What a reader made of some bytes. */
export interface Cut {
  readonly messages: Buffer[]
  /** The reason of the FrameError that ended it. */
  readonly reason: FrameError['reason'] | undefined
  readonly pendingBytes: number
}

/** As large as the reads of a port. The bytes behind a read's end are another connection's. */
const READ_BYTES = 64 * 1024
const shared = Buffer.alloc(READ_BYTES, '\r\n')

/**
 * Reads `bytes` in pieces of the given sizes, over and over, the way a port does: all reads go through one buffer, whose
 * old content stays behind a read's end and is overwritten after it.
 */
export function cut(framing: Cutter, bytes: Uint8Array, sizes: readonly number[] = [READ_BYTES]): Cut {
  const reader = new FrameReader()
  const messages: Buffer[] = []
  const sink = { onMessage: (message: Buffer): void => void messages.push(message) }
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = Math.min(sizes[turn % sizes.length] ?? READ_BYTES, bytes.length - at, READ_BYTES)
    shared.set(bytes.subarray(at, at + size))
    at += size
    try {
      reader.push(framing, shared, size, sink)
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      return { messages, reason: error.reason, pendingBytes: reader.pendingBytes }
    } finally {
      shared.fill('\r\n', 0, size)
    }
  }
  return { messages, reason: undefined, pendingBytes: reader.pendingBytes }
}

/** The bytes that leave when these messages are sent. */
export function frame(framing: Cutter, messages: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat(
    messages.map((unframed) => {
      const message = framing.encode?.(unframed) ?? unframed
      const byteLength = typeof message === 'string' ? Buffer.byteLength(message) : message.byteLength
      // Not at the begin, and with bytes around: nothing else may be touched.
      const target = Buffer.alloc(byteLength + framing.overhead + 2, 0xee)
      const length = framing.encodeInto(target, 1, message, byteLength)
      if (target[0] !== 0xee || target[length + 1] !== 0xee) throw new Error('wrote outside its room')
      return target.subarray(1, 1 + length)
    }),
  )
}

/** The messages as text, one character a byte. */
export function texts({ messages }: Cut): string[] {
  return messages.map((message) => message.toString('latin1'))
}
