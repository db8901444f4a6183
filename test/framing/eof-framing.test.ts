import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { EofFraming } from '../../src/framing/eof-framing.ts'
import { bytewise, cut, frame, places, Reading, read } from './reading.ts'

// Marks of 1 to 8 bytes; most of them overlap themselves, so that a search that steps forward too far misses some.
const MARKS = ['\n', '\0', '\r\n', 'aa', 'aba', '\r\r\n', '\r\n\r\n', 'aabaa', 'ababab', '\r\n.\r\n..', 'aaaaaaab', '\xff\xff\xfe\xff\xff\xfe\xff\xff']
const mark = fc.constantFrom(...MARKS)

function eofFraming(mark: string, options: { maxLength?: number; keepEof?: boolean } = {}): EofFraming {
  return new EofFraming({ eof: Buffer.from(mark, 'latin1'), maxLength: options.maxLength ?? 4096, keepEof: options.keepEof ?? false })
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
    const input = mark.chain((mark) => fc.tuple(fc.constant(mark), near(mark), places))
    fc.assert(
      fc.property(input, ([mark, bytes, places]) => {
        const expected = { ...split(bytes, mark), error: undefined }

        assert.deepEqual(read(eofFraming(mark), cut(bytes, places)), expected)
        assert.deepEqual(read(eofFraming(mark), bytewise(bytes)), expected)
      }),
      { numRuns: 2000 },
    )
  })

  test('fails at the same message with the same reason, however the bytes arrive', () => {
    const input = mark.chain((mark) => fc.tuple(fc.constant(mark), near(mark), places, fc.integer({ min: 1, max: 30 })))
    fc.assert(
      fc.property(input, ([mark, bytes, places, maxLength]) => {
        const whole = read(eofFraming(mark, { maxLength }), [bytes])

        assert.deepEqual(read(eofFraming(mark, { maxLength }), cut(bytes, places)), whole)
        assert.deepEqual(read(eofFraming(mark, { maxLength }), bytewise(bytes)), whole)
      }),
      { numRuns: 2000 },
    )
  })

  test('encodeInto() makes frames that are read as the messages they were made of', () => {
    const message = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
    const input = fc.tuple(mark, fc.array(message, { maxLength: 12 }), places).map(([mark, messages, places]) => {
      // A message that holds the mark, or runs into it, is another message for whoever receives it.
      const unambiguous = messages.filter((message) => Buffer.concat([message, Buffer.from(mark, 'latin1')]).indexOf(mark, 0, 'latin1') === message.length)
      return [mark, unambiguous, places] as const
    })
    fc.assert(
      fc.property(input, ([mark, messages, places]) => {
        const framing = eofFraming(mark)
        const bytes = Buffer.concat(messages.map((message) => frame(framing, message)))

        assert.deepEqual(read(framing, cut(bytes, places)), {
          messages: messages.map((message) => message.toString('latin1')),
          error: undefined,
          pendingBytes: 0,
        })
      }),
      { numRuns: 500 },
    )
  })

  test('encodeInto() writes text as UTF-8', () => {
    assert.deepEqual(frame(eofFraming('\r\n'), 'é€😀'), Buffer.from('é€😀\r\n'))
  })

  for (const mark of MARKS) {
    describe(`with the mark ${JSON.stringify(mark)}`, () => {
      const maxLength = 20
      const end = Buffer.from(mark, 'latin1')

      test('takes messages of maxLength - 1 and maxLength bytes, and none of maxLength + 1', () => {
        for (const length of [maxLength - 1, maxLength, maxLength + 1]) {
          const message = 'x'.repeat(length)
          const bytes = Buffer.concat([Buffer.from(message), end])
          const expected =
            length > maxLength ? { messages: [], error: 'frame_too_long', pendingBytes: 0 } : { messages: [message], error: undefined, pendingBytes: 0 }

          assert.deepEqual(read(eofFraming(mark, { maxLength }), [bytes]), expected)
          assert.deepEqual(read(eofFraming(mark, { maxLength }), bytewise(bytes)), expected)
        }
      })

      test('refuses a message without an end before more than maxLength and the mark is pending', () => {
        const reading = new Reading(eofFraming(mark, { maxLength }))
        for (let i = 0; i < maxLength + end.length - 1; i++) reading.push(Buffer.from('x'))

        assert.equal(reading.reader.pendingBytes, maxLength + end.length - 1)
        assert.throws(() => reading.push(Buffer.from('x')), { code: 'POLYPORT_FRAME', reason: 'frame_too_long' })
      })

      test('takes empty messages', () => {
        const bytes = Buffer.concat([end, end, end])

        assert.deepEqual(read(eofFraming(mark), [bytes]), { messages: ['', '', ''], error: undefined, pendingBytes: 0 })
        assert.deepEqual(read(eofFraming(mark), bytewise(bytes)), { messages: ['', '', ''], error: undefined, pendingBytes: 0 })
      })
    })
  }

  test('hands out the good messages before one that is too long', () => {
    const outcome = read(eofFraming('\n', { maxLength: 3 }), [Buffer.from('one\ntwo\nthree\nfour\n')])

    assert.deepEqual(outcome, { messages: ['one', 'two'], error: 'frame_too_long', pendingBytes: 0 })
  })

  describe('with keepEof', () => {
    test('hands out the mark too, and does not count it', () => {
      const framing = eofFraming('\r\n', { keepEof: true, maxLength: 3 })

      assert.deepEqual(read(framing, bytewise(Buffer.from('one\r\n\r\n'))).messages, ['one\r\n', '\r\n'])
      assert.equal(read(framing, [Buffer.from('four\r\n')]).error, 'frame_too_long')
    })

    test('sends what it has received as it came, and adds the mark to what lacks it', () => {
      const framing = eofFraming('\r\n', { keepEof: true })

      for (const message of ['one\r\n', '\r\n']) assert.equal(frame(framing, message).toString(), message)
      for (const message of ['', 'one', '\n', 'one\r']) assert.equal(frame(framing, message).toString(), `${message}\r\n`)
    })
  })
})
