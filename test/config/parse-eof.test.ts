import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseEof } from '../../src/config/parse-eof.ts'

describe('parseEof()', () => {
  const texts: readonly (readonly [text: string, hex: string])[] = [
    ['\r\n', '0d0a'],
    ['\\r\\n', '0d0a'],
    ['\\t\\0', '0900'],
    ['\\x00\\xfF', '00ff'],
    ['\\\\', '5c'],
    ['\\\\n', '5c6e'],
    ['a\\nb', '610a62'],
    ['\u00ff', 'ff'],
    ['\u20ac', 'e282ac'],
  ]
  for (const [text, hex] of texts) {
    test(`makes ${hex} of ${JSON.stringify(text)}`, () => {
      assert.equal(parseEof(text).toString('hex'), hex)
    })
  }

  for (const text of ['\\', '\\q', '\\x', '\\x0', '\\xzz', '\\\\\\']) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseEof(text), SyntaxError)
    })
  }
})
