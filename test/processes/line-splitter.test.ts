import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LineSplitter } from '../../src/processes/line-splitter.ts'

function split(...chunks: (string | Uint8Array)[]): string[] {
  const lines: string[] = []
  const splitter = new LineSplitter((line) => lines.push(line))
  for (const chunk of chunks) splitter.push(Buffer.from(chunk as string))
  splitter.flush()
  return lines
}

describe('LineSplitter', () => {
  test('gives each line, however it is cut, and leaves out empty ones', () => {
    assert.deepEqual(split('one\ntw', 'o\n', '\n\r\n', 'three\r\n'), ['one', 'two', 'three'])
  })

  test('gives what is left at the end', () => {
    assert.deepEqual(split('no end'), ['no end'])
  })

  test('keeps a character together that comes in two pieces', () => {
    const bytes = Buffer.from('é\n')

    assert.deepEqual(split(bytes.subarray(0, 1), bytes.subarray(1)), ['é'])
  })

  test('cuts a line that does not end, so that nothing grows for ever', () => {
    const lines = split('x'.repeat(20_000), 'y'.repeat(20_000))

    assert.deepEqual(
      lines.map(({ length }) => length),
      [16_384, 16_384, 40_000 - 2 * 16_384],
    )
    assert.equal(lines.join(''), 'x'.repeat(20_000) + 'y'.repeat(20_000))
  })
})
