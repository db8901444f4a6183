import assert from 'node:assert/strict'
import { test } from 'node:test'
import { escapeLines, escapeText } from '../../src/log/control-bytes.ts'

test('escapeText() leaves no control byte and no line end, and other text as it is', () => {
  assert.equal(escapeText('a\r\n\t\u0000\u001b[2J\u007f\u009b\u2028ü€\u{1f600}'), 'a\\r\\n\\t\\u0000\\u001b[2J\\u007f\\u009b\\u2028ü€\u{1f600}')
})

test('escapeLines() keeps line feeds only', () => {
  assert.equal(escapeLines('Error: x\u001b\r\n    at y'), 'Error: x\\u001b\\r\n    at y')
})

test('escapeLines() of a line of JSON does not change what it means', () => {
  const value = { msg: '\u007f\u0085\u009b\u2028\u2029\u0001\n' }

  const line = escapeLines(`${JSON.stringify(value)}\n`)

  assert.match(line, /^[\u0020-\u007e]+\n$/)
  assert.deepEqual(JSON.parse(line), value)
})
