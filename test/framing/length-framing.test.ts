import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { cut, frame, texts } from './cut.ts'
import { FIELDS, length } from './framings.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('LengthFraming', () => {
  const forms = { u8: '03', u16be: '0003', u16le: '0300', u32be: '00000003', u32le: '03000000' } as const
  for (const field of FIELDS) {
    test(`writes and reads ${field}`, () => {
      const bytes = frame(length(field), ['abc'])

      assert.deepEqual(bytes, hex(`${forms[field]} 616263`))
      assert.deepEqual(texts(cut(length(field), bytes)), ['abc'])
    })

    for (const [way, size] of [
      ['in one read', 65536],
      ['byte by byte', 1],
    ] as const) {
      test(`with ${field} takes messages up to maxLength and no longer ones, ${way}`, () => {
        const sent = frame(length(field), ['x'.repeat(9), 'x'.repeat(10), 'x'.repeat(11)])

        const arrived = cut(length(field, { maxLength: 10 }), sent, [size])

        assert.deepEqual(texts(arrived), ['xxxxxxxxx', 'xxxxxxxxxx'])
        assert.equal(arrived.reason, 'frame_too_long')
      })
    }
  }

  test('gives up as soon as it has read the length', () => {
    assert.equal(cut(length('u32be', { maxLength: 10 }), hex('0000000b'), [1]).reason, 'frame_too_long')
    assert.equal(cut(length('u32be', { maxLength: 10 }), hex('ffffffff'), [1]).reason, 'frame_too_long')
  })

  test('takes the largest length that a field holds', () => {
    const message = Buffer.alloc(65535, 'x')

    assert.deepEqual(cut(length('u16le'), frame(length('u16le'), [message])).messages, [message])
  })

  test('hands on empty messages', () => {
    assert.deepEqual(texts(cut(length('u16be'), hex('0000 0001 61 0000'))), ['', 'a', ''])
  })

  test('joins what is before and behind the length field, and puts the field back', () => {
    const framing = length('u16be', { offset: 2 })
    const bytes = hex('cafe 0003 616263')

    const { messages } = cut(framing, bytes)

    assert.deepEqual(messages, [hex('cafe 616263')])
    assert.deepEqual(frame(framing, messages), bytes)
  })

  test('counts from bodyOffset: a header behind the field is not counted', () => {
    const framing = length('u8', { offset: 1, bodyOffset: 4 })
    const bytes = hex('aa 02 bbcc 6162')

    const { messages } = cut(framing, bytes)

    assert.deepEqual(messages, [hex('aa bbcc 6162')])
    assert.deepEqual(frame(framing, messages), bytes)
  })

  test('counts from bodyOffset 0 where the length is that of the whole frame', () => {
    const framing = length('u32be', { bodyOffset: 0 })
    const bytes = hex('00000006 6162')

    assert.deepEqual(texts(cut(framing, bytes)), ['ab'])
    assert.deepEqual(frame(framing, ['ab']), bytes)
  })

  test('refuses a frame that is shorter than its own header', () => {
    assert.equal(cut(length('u32be', { bodyOffset: 0 }), hex('00000003')).reason, 'error')
    assert.equal(cut(length('u32be', { bodyOffset: 0 }), hex('00000004')).reason, undefined)
  })

  test('does not frame a message that its field cannot count, or that lacks the header', () => {
    const tooLong = { name: 'RangeError', message: "Cannot frame a message of 256 bytes: the port's length field takes 0 to 255" }
    const tooShort = { name: 'RangeError', message: "Cannot frame a message of 3 bytes: the port's length field takes 4 to 65539" }

    assert.throws(() => frame(length('u8'), ['x'.repeat(256)]), tooLong)
    assert.throws(() => frame(length('u16be', { offset: 4 }), ['abc']), tooShort)
    assert.throws(() => frame(length('u16be', { bodyOffset: 6 }), ['abc']), tooShort)
  })
})
