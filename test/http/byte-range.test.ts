import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { byteRange } from '../../src/http/byte-range.ts'

const CASES: readonly (readonly [header: string, size: number, expected: unknown])[] = [
  ['bytes=0-0', 10, { start: 0, end: 0 }],
  ['bytes=2-4', 10, { start: 2, end: 4 }],
  ['bytes=2-', 10, { start: 2, end: 9 }],
  ['bytes=-3', 10, { start: 7, end: 9 }],
  ['bytes=-30', 10, { start: 0, end: 9 }],
  ['bytes=5-99', 10, { start: 5, end: 9 }],
  ['BYTES=1-1', 10, { start: 1, end: 1 }],
  ['bytes=10-', 10, null],
  ['bytes=99-100', 10, null],
  ['bytes=-0', 10, null],
  ['bytes=0-', 0, null],
  ['bytes=4-2', 10, undefined],
  ['bytes=0-1,4-5', 10, undefined],
  ['lines=0-1', 10, undefined],
  ['bytes=', 10, undefined],
  ['bytes=-', 10, undefined],
  ['bytes=a-b', 10, undefined],
  ['0-1', 10, undefined],
]

describe('byteRange()', () => {
  for (const [header, size, expected] of CASES) {
    test(`reads ${header} of ${size} bytes`, () => {
      assert.deepEqual(byteRange(header, size), expected)
    })
  }

  test('never names a byte that is not there', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^bytes=[0-9]{0,18}-[0-9]{0,18}$/), fc.nat(100), (header, size) => {
        const range = byteRange(header, size)
        return range === undefined || range === null || (range.start >= 0 && range.start <= range.end && range.end < size)
      }),
    )
  })
})
