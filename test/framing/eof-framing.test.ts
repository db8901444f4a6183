import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { FrameReader } from '../../src/framing/frame-reader.ts'
import { cut, frame, texts } from './cut.ts'
import { anySizes, eof, MARKS } from './framings.ts'

const mark = fc.constantFrom(...MARKS)

/** What comes of some bytes, in pieces of these sizes or in one. How much was pending when it failed depends on the cutting. */
function read(framing: ReturnType<typeof eof>, bytes: Buffer, sizes?: readonly number[]): { messages: string[]; error: unknown; pendingBytes: number } {
  const arrived = cut(framing, bytes, sizes)
  return { messages: texts(arrived), error: arrived.reason, pendingBytes: arrived.reason === undefined ? arrived.pendingBytes : 0 }
}

/** Bytes of which many look like the mark, or like its begin. */
function near(mark: string): fc.Arbitrary<Buffer> {
  const piece = fc.oneof(
    fc.nat({ max: mark.length }).map((length) => mark.slice(0, length)),
    fc.nat({ max: mark.length }).map((length) => mark.slice(length)),
    fc.constantFrom(mark, 'a', 'b', '\r', 'xyz'),
  )
  return fc.array(piece, { maxLength: 40 }).map((pieces) => Buffer.from(pieces.join(''), 'latin1'))
}

/** What the messages are, by the plainest means. */
function split(bytes: Buffer, mark: string): { messages: string[]; pendingBytes: number } {
  const messages = bytes.toString('latin1').split(mark)
  const rest = messages.pop() ?? ''
  return { messages, pendingBytes: rest.length }
}

describe('EofFraming', () => {
  test('cuts any bytes as String.split() does, however they arrive', () => {
    const input = mark.chain((mark) => fc.tuple(fc.constant(mark), near(mark), anySizes))
    fc.assert(
      fc.property(input, ([mark, bytes, sizes]) => {
        const expected = { ...split(bytes, mark), error: undefined }

        assert.deepEqual(read(eof(mark), bytes, sizes), expected)
        assert.deepEqual(read(eof(mark), bytes, [1]), expected)
      }),
      { numRuns: 2000 },
    )
  })

  test('fails at the same message with the same reason, however the bytes arrive', () => {
    const input = mark.chain((mark) => fc.tuple(fc.constant(mark), near(mark), anySizes, fc.integer({ min: 1, max: 30 })))
    fc.assert(
      fc.property(input, ([mark, bytes, sizes, maxLength]) => {
        const whole = read(eof(mark, { maxLength }), bytes)

        assert.deepEqual(read(eof(mark, { maxLength }), bytes, sizes), whole)
        assert.deepEqual(read(eof(mark, { maxLength }), bytes, [1]), whole)
      }),
      { numRuns: 2000 },
    )
  })

  test('encodeInto() makes frames that are read as the messages they were made of', () => {
    const message = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
    const input = fc.tuple(mark, fc.array(message, { maxLength: 12 }), anySizes).map(([mark, messages, sizes]) => {
      // A message that holds the mark, or runs into it, is another message for whoever receives it.
      const unambiguous = messages.filter((message) => Buffer.concat([message, Buffer.from(mark, 'latin1')]).indexOf(mark, 0, 'latin1') === message.length)
      return [mark, unambiguous, sizes] as const
    })
    fc.assert(
      fc.property(input, ([mark, messages, sizes]) => {
        const framing = eof(mark)
        const bytes = frame(framing, messages)

        assert.deepEqual(read(framing, bytes, sizes), {
          messages: messages.map((message) => message.toString('latin1')),
          error: undefined,
          pendingBytes: 0,
        })
      }),
      { numRuns: 500 },
    )
  })

  test('encodeInto() writes text as UTF-8', () => {
    assert.deepEqual(frame(eof('\r\n'), ['é€😀']), Buffer.from('é€😀\r\n'))
  })

  for (const mark of MARKS) {
    describe(`with the mark ${JSON.stringify(mark)}`, () => {
      const maxLength = 20
      const end = Buffer.from(mark, 'latin1')

      test('takes messages of maxLength - 1 and maxLength bytes, and none of maxLength + 1', () => {
        for (const length of [maxLength - 1, maxLength, maxLength + 1]) {
          const message = '?'.repeat(length)
          const bytes = Buffer.concat([Buffer.from(message), end])
          const expected =
            length > maxLength ? { messages: [], error: 'frame_too_long', pendingBytes: 0 } : { messages: [message], error: undefined, pendingBytes: 0 }

          assert.deepEqual(read(eof(mark, { maxLength }), bytes), expected)
          assert.deepEqual(read(eof(mark, { maxLength }), bytes, [1]), expected)
        }
      })

      test('refuses a message without an end before more than maxLength and the mark is pending', () => {
        const reader = new FrameReader()
        const push = (): void => reader.push(eof(mark, { maxLength }), Buffer.from('?'), 1, { onMessage: () => assert.fail('a message') })
        for (let i = 0; i < maxLength + end.length - 1; i++) push()

        assert.equal(reader.pendingBytes, maxLength + end.length - 1)
        assert.throws(push, { code: 'POLYPORT_FRAME', reason: 'frame_too_long' })
      })

      test('takes empty messages', () => {
        const bytes = Buffer.concat([end, end, end])

        assert.deepEqual(read(eof(mark), bytes), { messages: ['', '', ''], error: undefined, pendingBytes: 0 })
        assert.deepEqual(read(eof(mark), bytes, [1]), { messages: ['', '', ''], error: undefined, pendingBytes: 0 })
      })
    })
  }

  test('does not find a mark that an earlier read left in the buffer', () => {
    assert.deepEqual(read(eof('\r\n'), Buffer.from('abc')), { messages: [], error: undefined, pendingBytes: 3 })
  })

  test('asks no more than five times where many bytes look like the begin of the mark', (t) => {
    const bytes = Buffer.from(`${'\r'.repeat(1000)}\n`)
    const indexOf = t.mock.method(Buffer.prototype, 'indexOf')

    assert.equal(eof('\r\n').frameLength(bytes, 0, bytes.length, 0), 1001)
    assert.ok(indexOf.mock.callCount() <= 5, `${indexOf.mock.callCount()} calls`)
  })

  test('adds the mark also to a message that ends with one', () => {
    assert.equal(frame(eof('\r\n'), ['one\r\n', '']).toString(), 'one\r\n\r\n\r\n')
  })

  test('hands out the good messages before one that is too long', () => {
    const outcome = read(eof('\n', { maxLength: 3 }), Buffer.from('one\ntwo\nthree\nfour\n'))

    assert.deepEqual(outcome, { messages: ['one', 'two'], error: 'frame_too_long', pendingBytes: 0 })
  })

  describe('with keepEof', () => {
    test('hands out the mark too, and does not count it', () => {
      const framing = eof('\r\n', { keepEof: true, maxLength: 3 })

      assert.deepEqual(read(framing, Buffer.from('one\r\n\r\n'), [1]).messages, ['one\r\n', '\r\n'])
      assert.equal(read(framing, Buffer.from('four\r\n')).error, 'frame_too_long')
    })

    test('sends what it has received as it came, and adds the mark to what lacks it', () => {
      const framing = eof('\r\n', { keepEof: true })

      for (const message of ['one\r\n', '\r\n']) assert.equal(frame(framing, [message]).toString(), message)
      for (const message of ['', 'one', '\n', 'one\r']) assert.equal(frame(framing, [message]).toString(), `${message}\r\n`)
    })
  })
})
