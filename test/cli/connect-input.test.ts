import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { messagesOf } from '../../src/cli/connect-input.ts'

async function collect(chunks: readonly (string | Uint8Array)[], eof: string | undefined): Promise<string[]> {
  const input = (async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk as string)
  })()
  const messages: string[] = []
  for await (const message of messagesOf(input, eof === undefined ? undefined : Buffer.from(eof))) messages.push(message.toString('latin1'))
  return messages
}

describe('messagesOf()', () => {
  test('gives the lines with the end mark in place of their line end', async () => {
    assert.deepEqual(await collect(['a\nb\r\n\nc'], '|'), ['a|', 'b|', '|', 'c|'])
  })

  test('an input that ends its last line has no line behind it, and an empty one none at all', async () => {
    assert.deepEqual(await collect(['a\n'], '|'), ['a|'])
    assert.deepEqual(await collect([], '|'), [])
  })

  test('without an end mark the chunks are handed on', async () => {
    assert.deepEqual(await collect(['a\nb', '\r\n'], undefined), ['a\nb', '\r\n'])
  })

  test('any split of the same bytes gives the same lines', async () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => array.map((byte) => (byte < 60 ? 0x0a : byte < 90 ? 0x0d : byte)))
    await fc.assert(
      fc.asyncProperty(bytes, fc.array(fc.nat(200)), async (array, cuts) => {
        const ends = [...cuts.filter((cut) => cut < array.length), array.length].toSorted((a, b) => a - b)
        const chunks = ends.map((end, index) => array.subarray(ends[index - 1] ?? 0, end))

        assert.deepEqual(await collect(chunks, '|'), await collect([array], '|'))
      }),
    )
  })
})
