import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getHeapStatistics } from 'node:v8'
import { buffersPassed, watchYoungBuffers } from '../../src/ipc/young-buffers.ts'

const MIB = 1024 * 1024
const READ_BYTES = 64 * 1024
const TOTAL = 256 * MIB
// V8 itself begins to clean at 32 MiB.
const LIMIT = 24 * MIB

test('buffersPassed() keeps dead buffers from piling up', () => {
  watchYoungBuffers()
  const before = getHeapStatistics().external_memory
  let most = 0
  for (let passed = 0; passed < TOTAL; passed += READ_BYTES) {
    Buffer.allocUnsafeSlow(READ_BYTES).fill(1)
    buffersPassed(READ_BYTES)
    most = Math.max(most, getHeapStatistics().external_memory - before)
  }

  assert.ok(most < LIMIT, `${most / MIB} MiB`)
})

test('watchYoungBuffers() does not show user code a gc of its own', () => {
  watchYoungBuffers()

  assert.equal('gc' in globalThis, false)
})
