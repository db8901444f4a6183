import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeRecord, encodeRecord, pack, unpack } from '../../src/tasks/task-record.ts'

const bytes = fc.uint8Array({ maxLength: 100 }).map((value) => Buffer.from(value))
const record = fc.record(
  {
    id: fc.nat(),
    producer: fc.maxSafeNat(),
    deliveredAt: fc.double({ noNaN: true }),
    due: fc.double({ noNaN: true }),
    backoffMs: fc.nat(),
    tries: fc.nat(),
    attempts: fc.nat(),
    kills: fc.nat({ max: 65_535 }),
    stage: fc.constantFrom(0, 1) as fc.Arbitrary<0 | 1>,
    kind: fc.constantFrom(0, 1, 2) as fc.Arbitrary<0 | 1 | 2>,
    className: fc.string({ unit: 'grapheme' }),
    eventName: fc.string(),
    input: bytes,
    output: bytes,
  },
  { noNullPrototype: true },
)

test('records come out of their bytes, and out of a message of several, as they went in', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 5 }), (records) => {
      const packed = pack(records.map(encodeRecord))

      assert.deepEqual(unpack(packed).map(decodeRecord), records)
    }),
  )
})

test('a record holds as many kills as its place can: a task with more tries than that breaks nothing', () => {
  const [task] = fc.sample(record, 1)
  assert.ok(task)

  assert.equal(decodeRecord(encodeRecord({ ...task, kills: 70_000 })).kills, 65_535)
})
