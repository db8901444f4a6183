import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { cut, frame } from './cut.ts'
import { anyBytes, anyFraming, anySizes, custom, eof, FIELDS, length, MARKS, Netstrings } from './framings.ts'

// A long run: POLYPORT_FUZZ_RUNS=100000 node --test test/framing/properties.test.ts
const RUNS = Number(process.env['POLYPORT_FUZZ_RUNS'] ?? 2000)

describe('any framing', () => {
  test('makes the same messages of the same bytes, however they are cut', () => {
    fc.assert(
      fc.property(anyFraming, anyBytes, anySizes, (framing, bytes, sizes) => {
        const { messages, reason } = cut(framing, bytes)

        const pieces = cut(framing, bytes, sizes)

        assert.deepEqual(pieces.messages, messages)
        assert.equal(pieces.reason, reason)
      }),
      { numRuns: RUNS },
    )
  })

  test('makes the same messages of single bytes', () => {
    fc.assert(
      fc.property(anyFraming, anyBytes, (framing, bytes) => {
        const { messages, reason } = cut(framing, bytes)

        const single = cut(framing, bytes, [1])

        assert.deepEqual(single.messages, messages)
        assert.equal(single.reason, reason)
      }),
      { numRuns: RUNS },
    )
  })
})

const anyMessages = fc.array(fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ unit: 'grapheme', maxLength: 20 })), { maxLength: 20 })

describe('what was sent', () => {
  test('arrives through eof framing, when it does not hold the mark', () => {
    fc.assert(
      fc.property(fc.constantFrom(...MARKS), fc.boolean(), anyMessages, anySizes, (mark, keepEof, all, sizes) => {
        const framing = eof(mark, { keepEof })
        const messages = all
          .map((text) => Buffer.from(text))
          // Behind a message that ends like the mark begins, the mark would be seen too early.
          .filter((message) => Buffer.concat([message, Buffer.from(mark, 'latin1')]).indexOf(mark, 0, 'latin1') === message.length)

        const arrived = cut(framing, frame(framing, messages), sizes)

        const expected = keepEof ? messages.map((message) => Buffer.concat([message, Buffer.from(mark, 'latin1')])) : messages
        assert.deepEqual(arrived.messages, expected)
        assert.equal(arrived.pendingBytes, 0)
      }),
    )
  })

  test('arrives through length framing, wherever the field and the counted bytes begin', () => {
    const anyPlace = fc.record({ field: fc.constantFrom(...FIELDS), offset: fc.nat(6), bodyOffset: fc.nat(9) })
    fc.assert(
      fc.property(anyPlace, anyMessages, anySizes, ({ field, offset, bodyOffset }, all, sizes) => {
        const framing = length(field, { offset, bodyOffset })
        const shortest = Math.max(offset, bodyOffset - framing.overhead)
        const messages = all.filter((text) => Buffer.byteLength(text) >= shortest)

        const arrived = cut(framing, frame(framing, messages), sizes)

        assert.deepEqual(
          arrived.messages,
          messages.map((text) => Buffer.from(text)),
        )
        assert.equal(arrived.pendingBytes, 0)
      }),
    )
  })

  test('arrives through custom framing, text and bytes', () => {
    fc.assert(
      fc.property(anyMessages, anySizes, (messages, sizes) => {
        const framing = custom(new Netstrings())
        const bytes = messages.map((text) => new TextEncoder().encode(text))

        const arrived = cut(framing, frame(framing, [...messages, ...bytes]), sizes)

        assert.deepEqual(
          arrived.messages,
          [...bytes, ...bytes].map((message) => Buffer.from(message)),
        )
      }),
    )
  })
})
