import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { counter } from '../../src/shared/counter.ts'
import { emptyStore } from './shared-memory.ts'

describe('counter()', () => {
  test('begins at 0, adds and subtracts, and gives the new value', (t) => {
    const store = emptyStore(t)
    const hits = counter(store, 'hits')

    assert.equal(hits.value, 0)
    assert.equal(hits.add(5), 5)
    assert.equal(hits.add(-7), -2)
    assert.equal(hits.add(0), -2)
    assert.equal(hits.value, -2)
  })

  test('of the same name is the same, of another is another', (t) => {
    const store = emptyStore(t)
    counter(store, 'a').add(1)
    counter(store, 'ab').add(2)

    assert.equal(counter(store, 'a').value, 1)
    assert.equal(counter(store, 'ab').value, 2)
    assert.equal(counter(store, 'b').value, 0)
  })

  test('goes from one end of the safe integers to the other, and no further', (t) => {
    const store = emptyStore(t)
    const count = counter(store, 'count')

    assert.equal(count.add(Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
    for (const n of [1, 2, 3, Number.MAX_SAFE_INTEGER])
      assert.throws(() => count.add(n), { name: 'RangeError', message: /count would leave the range of safe integers/ })
    assert.equal(count.value, Number.MAX_SAFE_INTEGER)
    assert.equal(count.add(Number.MIN_SAFE_INTEGER), 0)
    assert.equal(count.add(Number.MIN_SAFE_INTEGER), Number.MIN_SAFE_INTEGER)
    assert.throws(() => count.add(-1), RangeError)
  })

  test('adds nothing but safe integers', (t) => {
    const count = counter(emptyStore(t), 'count')

    for (const n of [Number.NaN, Number.POSITIVE_INFINITY, 0.5, 2 ** 53, '1', null, undefined, 1n, {}, Symbol('1')])
      assert.throws(() => count.add(n as number), { name: 'RangeError', message: /expected a safe integer/ })
    assert.equal(count.value, 0)
  })

  test('has a name of 1 to 400 bytes', (t) => {
    const store = emptyStore(t)

    for (const name of ['x', '\0', '__proto__', 'x'.repeat(400), '€'.repeat(133), '\ufffd']) assert.equal(counter(store, name).add(1), 1)
    for (const name of ['', 'x'.repeat(401), '€'.repeat(134), '\ud800', 'x'.repeat(1_000_000)])
      assert.throws(
        () => counter(store, name),
        (error) => error instanceof RangeError && error.message.includes('1 to 400 bytes') && error.message.length < 300,
      )
  })
})
