import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Due, DueHeap } from '../../src/tasks/due-heap.ts'

test('DueHeap gives what is due first, of one time the lower number, whatever is taken out of its midst', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.boolean()), { maxLength: 200 }), (steps) => {
      const heap = new DueHeap<Due>()
      const items = steps.map(([due], id) => ({ id, due, heapIndex: -1 }))
      for (const item of items) heap.add(item)
      const left = items.filter((item, i) => steps[i]?.[1] !== true || !heap.remove(item))
      const taken: Due[] = []
      for (let first = heap.first; first !== undefined; first = heap.first) {
        heap.remove(first)
        taken.push(first)
      }

      assert.deepEqual(
        taken,
        left.toSorted((a, b) => a.due - b.due || a.id - b.id),
      )
      assert.ok(items.every((item) => item.heapIndex === -1 && !heap.remove(item)))
    }),
  )
})
