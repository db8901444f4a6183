import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Framing } from '../../src/contracts/framing.ts'
import { createFraming } from '../../src/framing/create-framing.ts'
import { cut, frame, texts } from './cut.ts'
import { custom, FoldedLines, Netstrings } from './framings.ts'

/** A framing of JavaScript, which keeps to no type. */
function sloppy(methods: Record<string, unknown>): Framing {
  return methods as unknown as Framing
}

const errorOf = (framing: Framing): { reason: string; message: string } => {
  const cutter = custom(framing)
  const bytes = Buffer.from('abc')
  let thrown: unknown
  try {
    cutter.message(bytes, 0, cutter.frameLength(bytes, 0, bytes.length, 0))
  } catch (error) {
    thrown = error
  }
  assert.ok(thrown instanceof Error && thrown.name === 'FrameError', 'a FrameError was expected')
  return thrown as Error & { reason: string }
}

describe('CustomFraming', () => {
  test('asks the module, and decodes what it finds', () => {
    assert.deepEqual(texts(cut(custom(new Netstrings()), Buffer.from('3:abc,0:,2:de,'), [4])), ['abc', '', 'de'])
  })

  test('takes the frame for the message, and the message for the frame, where the module says nothing else', () => {
    const lines = custom({ frameLength: (buffer) => buffer.indexOf('\n') + 1 })

    assert.deepEqual(texts(cut(lines, Buffer.from('a\nb\n'))), ['a\n', 'b\n'])
    assert.equal(frame(lines, ['a\n', Buffer.from('b\n')]).toString(), 'a\nb\n')
  })

  test('shows the module how much of a frame it has seen, from its first byte on', () => {
    const calls: [string, number][] = []
    const framing = custom({
      frameLength(buffer, scanned) {
        calls.push([buffer.toString(), scanned])
        return buffer.indexOf(';') + 1
      },
    })

    cut(framing, Buffer.from('a;bcd;'), [4, 1, 1])

    assert.deepEqual(calls, [
      ['a;bc', 0],
      ['bc', 0],
      ['bcd', 2],
      ['bcd;', 3],
    ])
  })

  test('lets the module find the end of a frame only in what follows', () => {
    for (const sizes of [[100], [1], [4, 3]]) {
      assert.deepEqual(texts(cut(custom(new FoldedLines()), Buffer.from('a\n  b\n\n c\nde'), sizes)), ['a\n  b\n', '\n', ' c\n'])
    }
  })

  test('takes frames up to maxLength and no longer ones', () => {
    const lines = custom({ frameLength: (buffer) => buffer.indexOf('\n') + 1 }, { maxLength: 5 })

    for (const sizes of [[100], [1]]) {
      const arrived = cut(lines, Buffer.from('123\n1234\n12345\n'), sizes)
      assert.deepEqual(texts(arrived), ['123\n', '1234\n'])
      assert.equal(arrived.reason, 'frame_too_long')
    }
  })

  const wrong: readonly (readonly [unknown, string])[] = [
    [4, '4'],
    [-1, '-1'],
    [1.5, '1.5'],
    [Number.NaN, 'NaN'],
    ['3', "'3'"],
    [undefined, 'undefined'],
    [3n, '3n'],
    [Symbol('s'), 'Symbol(s)'],
    [Object.create(null), '[Object: null prototype] {}'],
    [{ length: 3 }, '{ length: 3 }'],
  ]
  for (const [returned, shown] of wrong) {
    test(`ends the connection when frameLength returns ${shown}`, () => {
      const { reason, message } = errorOf(sloppy({ frameLength: () => returned }))

      assert.equal(reason, 'error')
      assert.equal(message, `frameLength() of "./framing.ts" returned ${shown}: expected 0, or a length up to the 3 bytes that are there`)
    })
  }

  test('ends the connection when the module throws, whatever it throws', () => {
    const fail = (what: unknown) => (): never => {
      throw what
    }

    assert.equal(errorOf(sloppy({ frameLength: fail(new SyntaxError('no comma')) })).message, 'frameLength() of "./framing.ts" threw: no comma')
    assert.equal(errorOf(sloppy({ frameLength: fail(Object.create(null)) })).message, 'frameLength() of "./framing.ts" threw: [Object: null prototype] {}')
    assert.equal(errorOf(sloppy({ frameLength: () => 3, decode: fail('no') })).message, 'decode() of "./framing.ts" threw: \'no\'')
    assert.equal(errorOf(sloppy({ frameLength: () => 3, decode: fail(new Error('no')) })).reason, 'error')
  })

  test('ends the connection when decode returns no Buffer', () => {
    for (const [returned, shown] of [
      [undefined, 'undefined'],
      ['abc', "'abc'"],
      [new Uint8Array(2), 'Uint8Array(2) [ 0, 0 ]'],
    ] as const) {
      assert.equal(errorOf(sloppy({ frameLength: () => 3, decode: () => returned })).message, `decode() of "./framing.ts" returned ${shown}: expected a Buffer`)
    }
  })

  test('tells the sender when encode returns no bytes', () => {
    const framing = custom(sloppy({ frameLength: () => 0, encode: () => 'text' }))

    assert.throws(() => framing.encode('abc'), { name: 'TypeError', message: 'encode() of "./framing.ts" returned \'text\': expected a Uint8Array' })
  })
})

describe('createFraming()', () => {
  test('reads the escapes of an end mark', () => {
    assert.deepEqual(texts(cut(createFraming({ type: 'eof', eof: '\\x00', keepEof: false, maxLength: 9 }), Buffer.from('a\0b\0'))), ['a', 'b'])
  })

  test('makes each chunk a message for raw framing, a copy of its own', () => {
    const framing = createFraming({ type: 'raw' })

    assert.deepEqual(texts(cut(framing, Buffer.from('abcdef'), [2, 1])), ['ab', 'c', 'de', 'f'])
    assert.equal(frame(framing, ['ab', Buffer.from('c')]).toString(), 'abc')
  })

  test('makes length framing of its config, and custom framing of its module', () => {
    const config = { type: 'length', field: 'u8', offset: 0, maxLength: 9 } as const

    assert.deepEqual(texts(cut(createFraming(config), Buffer.from('\x02ab'))), ['ab'])
    assert.deepEqual(texts(cut(createFraming({ type: 'custom', module: './n.ts', maxLength: 9 }, new Netstrings()), Buffer.from('1:a,'))), ['a'])
  })
})
