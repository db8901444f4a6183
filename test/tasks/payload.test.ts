import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { TaskInputError } from '../../src/errors.ts'
import { decodePayload, encodePayload } from '../../src/tasks/payload.ts'
import { isPlainJson } from '../../src/tasks/plain-json.ts'

const MAX = 16 * 1024 * 1024
const trip = (value: unknown): unknown => decodePayload(encodePayload(value, 'input', MAX))

const cycle: { self?: unknown; n: number } = { n: 1 }
cycle.self = cycle

describe('payload', () => {
  for (const [what, value] of [
    ['nothing', undefined],
    ['an empty string', ''],
    ['a Map of Sets', new Map([['a', new Set([1, 2])]])],
    ['a Date', new Date(5)],
    ['a RegExp', /a+/g],
    ['a BigInt', 2n ** 80n],
    ['a Buffer', Buffer.from('bytes')],
    ['a typed array', new Float64Array([1.5, -0])],
    ['NaN and minus zero', [Number.NaN, -0]],
    ['a hole in an array', Object.assign(new Array(3), { 0: 1, 2: 3 })],
    ['an undefined member', { a: undefined, b: 1 }],
    ['a lone surrogate', 'a\ud800b'],
    ['a member called __proto__', JSON.parse('{"__proto__": {"a": 1}}')],
    ['8 KiB less one', 'x'.repeat(8191)],
    ['64 KiB and one', Buffer.alloc(65_537, 7)],
    ['8 MiB', Buffer.alloc(8 * 1024 * 1024, 1)],
  ] as const) {
    test(`${what} arrives as it was`, () => assert.deepStrictEqual(trip(value), value))
  }

  test('a cycle arrives as a cycle', () => {
    const copy = trip(cycle) as typeof cycle

    assert.equal(copy.self, copy)
  })

  test('whatever structured clone takes arrives as structured clone gives it', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true, withSparseArray: true }), (value) => {
        assert.deepStrictEqual(trip(value), structuredClone(value))
      }),
      { numRuns: 500 },
    )
  })

  for (const [what, value, message] of [
    ['a function in an object', { user: { callback: () => {} } }, /Cannot put input\.user\.callback: a function into a task/],
    ['a function alone', () => {}, /Cannot put input: a function into/],
    ['a symbol in an array', { list: [1, Symbol('x')] }, /input\.list\[1\]: a symbol/],
    ['a promise', { 'odd key': Promise.resolve() }, /input\["odd key"\]: a Promise/],
    ['a WeakMap in a Map', new Map([['k', new WeakMap()]]), /input\.get\("k"\): a WeakMap/],
    ['a function behind a cycle', Object.assign({ cycle }, { f: () => {} }), /input\.f: a function/],
  ] as const) {
    test(`${what} is refused with its path`, () => {
      assert.throws(
        () => encodePayload(value, 'input', MAX),
        (error) => error instanceof TaskInputError && message.test(error.message),
      )
    })
  }

  test('what is too large is refused with both sizes', () => {
    assert.throws(() => encodePayload(Buffer.alloc(2000), 'input', 1024), /Cannot put input into a task: it has 20\d\d bytes, and tasks\.maxPayload is 1024/)
  })
})

describe('isPlainJson()', () => {
  for (const value of [new (class A {})(), { toJSON: () => 1 }, Object.create(null), [undefined], { a: 1n }, Number.POSITIVE_INFINITY, cycle]) {
    test(`is false for ${typeof value === 'number' ? value : Object.prototype.toString.call(value)}`, () => assert.equal(isPlainJson(value), false))
  }
})
