import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { type Cutter, FrameReader } from '../../src/framing/frame-reader.ts'
import { cut, frame, texts } from './cut.ts'
import { custom, eof, FoldedLines, length } from './framings.ts'

const MIB = 1024 * 1024

interface Work {
  searched: number
  copied: number
  /** The size of each buffer that was taken for what straddles reads. */
  readonly buffers: number[]
}

/** Counts what Buffers do until the test ends. */
function countWork(t: TestContext): Work {
  const work: Work = { searched: 0, copied: 0, buffers: [] }
  const { indexOf, copy } = Buffer.prototype
  const { allocUnsafeSlow } = Buffer
  Buffer.prototype.indexOf = function (this: Buffer, value: number | string | Uint8Array, from = 0, ...rest: []): number {
    const at = indexOf.call(this, value, from as number, ...rest)
    work.searched += (at === -1 ? this.length : at + 1) - Number(from)
    return at
  } as typeof indexOf
  Buffer.prototype.copy = function (this: Buffer, ...args: Parameters<typeof copy>): number {
    const copied = copy.apply(this, args)
    work.copied += copied
    return copied
  }
  Buffer.allocUnsafeSlow = (size: number): ReturnType<typeof allocUnsafeSlow> => {
    work.buffers.push(size)
    return allocUnsafeSlow(size)
  }
  t.after(() => {
    Object.assign(Buffer.prototype, { indexOf, copy })
    Buffer.allocUnsafeSlow = allocUnsafeSlow
  })
  return work
}

function pushAll(framing: Cutter, bytes: Buffer, size: number): { reader: FrameReader; received: number } {
  const reader = new FrameReader()
  const result = { reader, received: 0 }
  const sink = { onMessage: (message: Buffer): void => void (result.received += message.length) }
  for (let at = 0; at < bytes.length; at += size) reader.push(framing, bytes.subarray(at), Math.min(size, bytes.length - at), sink)
  return result
}

describe('FrameReader', () => {
  const cases: readonly (readonly [string, Cutter, Buffer, number])[] = [
    ['eof', eof('\r\n'), Buffer.alloc(MIB, 'x'), 1],
    ['eof of marks cut in half', eof('\r\n\r\n'), Buffer.alloc(MIB, '\r\n\r'), 1],
    ['length', length('u32be'), Buffer.alloc(MIB, 'x'), 1],
    ['eof', eof('\r\n'), Buffer.alloc(MIB, 'x'), 1000],
  ]
  for (const [name, framing, message, size] of cases) {
    test(`does linear work on a message of 1 MiB in reads of ${size}: ${name}`, (t) => {
      const bytes = frame(framing, [message])
      const work = countWork(t)

      const { received } = pushAll(framing, bytes, size)

      assert.equal(received, MIB)
      // The mark may straddle, so up to seven bytes are searched again in each read; with one byte a read, that is each byte.
      assert.ok(work.searched <= 16 * MIB, `${work.searched / MIB} bytes searched for each that was received`)
      // Once into what waits, once for each doubling before, once into the message.
      assert.ok(work.copied <= 4.5 * MIB, `${work.copied / MIB} bytes copied for each that was received`)
    })
  }

  test('holds nothing while no frame is cut in half', (t) => {
    const bytes = Buffer.from('abc\r\ndef\r\n'.repeat(1000))
    const work = countWork(t)

    const { reader, received } = pushAll(eof('\r\n'), bytes, 10)

    assert.equal(received, 6000)
    assert.equal(reader.pendingBytes, 0)
    assert.deepEqual(work.buffers, [])
  })

  test('uses one small buffer again and again for frames that straddle reads', (t) => {
    const bytes = Buffer.from('abc\r\n'.repeat(7 * 1001))
    const work = countWork(t)

    const { received } = pushAll(eof('\r\n'), bytes, 7)

    assert.equal(received, 3 * 7 * 1001)
    // Every 35 bytes a read ends with a frame, and the buffer is let go.
    assert.deepEqual(work.buffers, new Array(1001).fill(256))
  })

  test('copies little of a large read twice, to complete a short frame', (t) => {
    const bytes = Buffer.from(`${'x'.repeat(64)}\r\n`.repeat(2000))
    const work = countWork(t)

    const { received } = pushAll(eof('\r\n'), bytes, 65536)

    assert.equal(received, 64 * 2000)
    assert.equal(received, 64 * 2000)
    assert.ok(work.copied <= bytes.length + 4 * 512, `${work.copied - bytes.length} bytes copied twice`)
  })

  test('never holds more than maxLength and one read', (t) => {
    const READ = 1000
    const MAX = 100_000
    const work = countWork(t)

    for (const framing of [eof('\r\n', { maxLength: MAX }), length('u32be', { maxLength: MAX }), custom(new FoldedLines(), { maxLength: MAX })]) {
      const whole = frame(framing, [Buffer.alloc(MAX, 'x')])
      pushAll(framing, whole.subarray(0, -1), READ)
    }
    assert.throws(() => pushAll(eof('\r\n', { maxLength: MAX }), Buffer.alloc(MIB, 'x'), READ), { reason: 'frame_too_long' })
    assert.throws(() => pushAll(custom(new FoldedLines(), { maxLength: MAX }), Buffer.alloc(MIB, 'x'), READ), { reason: 'frame_too_long' })

    assert.ok(Math.max(...work.buffers) <= MAX + READ + 8, `a buffer of ${Math.max(...work.buffers)} bytes`)
  })

  test('lets go of a large buffer when the frame in it is done', (t) => {
    const reader = new FrameReader()
    const sink = { onMessage: (): void => {} }
    const push = (text: string): void => reader.push(eof('\n'), Buffer.from(text), text.length, sink)
    push('x'.repeat(30_000))
    const work = countWork(t)

    push('x\nabc')

    assert.equal(reader.pendingBytes, 3)
    assert.deepEqual(work.buffers.slice(-1), [256])
  })

  test('delivers what is good before what is bad', () => {
    const arrived = cut(eof('\n', { maxLength: 3 }), Buffer.from('a\nbc\nabcd\nd\n'))

    assert.deepEqual(texts(arrived), ['a', 'bc'])
    assert.equal(arrived.reason, 'frame_too_long')
  })

  test('hands out messages that do not change when the read buffer does', () => {
    const shared = Buffer.from('abc\ndef')
    const messages: Buffer[] = []
    const reader = new FrameReader()

    reader.push(eof('\n'), shared, 7, { onMessage: (message) => void messages.push(message) })
    shared.fill(0)
    reader.push(eof('\n'), Buffer.from('\n'), 1, { onMessage: (message) => void messages.push(message) })

    assert.deepEqual(messages.map(String), ['abc', 'def'])
  })
})
