import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { BusReader } from '../../src/ipc/bus-reader.ts'

const READ_BYTES = 64 * 1024

function framed(messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    messages.flatMap((message) => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(message.length)
      return [length, message]
    }),
  )
}

describe('BusReader', () => {
  test('push() hands on the same messages however their bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), fc.array(fc.integer({ min: 1, max: 400 })), (messages, sizes) => {
        const reader = new BusReader()
        const found: Buffer[] = []
        const bytes = framed(messages)
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] ?? READ_BYTES
          reader.push(bytes.subarray(at, at + size), (message) => found.push(message))
          at += size
        }

        assert.deepEqual(
          found.map((bytes) => [...bytes]),
          messages.map((bytes) => [...bytes]),
        )
      }),
    )
  })

  test('push() copies a long message at most twice, however many reads it takes', (t) => {
    const concat = t.mock.method(Buffer, 'concat')
    const bytes = framed([Buffer.alloc(32 * 1024 * 1024, 1), Buffer.from('next')])
    concat.mock.resetCalls()
    const reader = new BusReader()
    const lengths: number[] = []
    for (let at = 0; at < bytes.length; at += READ_BYTES) reader.push(bytes.subarray(at, at + READ_BYTES), (message) => lengths.push(message.length))

    assert.deepEqual(lengths, [32 * 1024 * 1024, 4])
    const copied = concat.mock.calls.reduce((sum, { result }) => sum + (result?.length ?? 0), 0)
    assert.ok(copied <= 2 * bytes.length, `${copied} bytes were copied of ${bytes.length}`)
  })
})
