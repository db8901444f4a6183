import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cutter } from '../../src/framing/frame-reader.ts'
import { cut } from './cut.ts'
import { custom, eof, FIELDS, FoldedLines, length, MARKS, Netstrings } from './framings.ts'

/**
 * Random bytes and random cuts, without fast-check's shrinking and therefore fast. A long run:
 * `POLYPORT_FUZZ_RUNS=10000000 node --test test/framing/fuzz.test.ts`, another one with `POLYPORT_FUZZ_SEED=2`.
 */
const RUNS = Number(process.env['POLYPORT_FUZZ_RUNS'] ?? 20_000)
const SEED = Number(process.env['POLYPORT_FUZZ_SEED'] ?? 1)

const FRAMINGS: readonly Cutter[] = [
  ...MARKS.flatMap((mark) => [eof(mark, { maxLength: 20 }), eof(mark, { keepEof: true })]),
  ...FIELDS.flatMap((field) => [length(field, { maxLength: 40 }), length(field, { offset: 3, bodyOffset: 1 }), length(field, { bodyOffset: 0, maxLength: 9 })]),
  custom(new Netstrings()),
  custom(new FoldedLines()),
]
// Few different bytes, so that marks, lengths and digits are frequent.
const BYTES = Buffer.from('aab\r\n\r\n\0\0\0\x01\x02\x05\x10123:, \xff\xfe\xfd', 'latin1')

test(`the framings make the same of ${RUNS} random inputs however these are cut, and never fail in another way`, () => {
  let state = SEED
  // Numbers as xorshift makes them: the same in each run.
  const random = (below: number): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
  const input = Buffer.alloc(96)
  for (let run = 0; run < RUNS; run++) {
    const framing = FRAMINGS[random(FRAMINGS.length)] as Cutter
    const bytes = input.subarray(0, random(input.length))
    for (let i = 0; i < bytes.length; i++) bytes[i] = BYTES[random(BYTES.length)] as number
    const sizes = [1 + random(9), 1 + random(3), 1 + random(40)]
    const whole = cut(framing, bytes)

    const pieces = cut(framing, bytes, sizes)

    const isSame =
      pieces.reason === whole.reason &&
      pieces.messages.length === whole.messages.length &&
      pieces.messages.every((message, i) => message.equals(whole.messages[i] as Buffer))
    if (!isSame) assert.deepEqual(pieces, whole, `run ${run}: ${framing.constructor.name}, ${bytes.toString('hex')} in reads of ${sizes}`)
  }
})
