import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FdAllocator } from '../../src/shared/fd-allocator.ts'
import { sharedMemoryDir } from '../../src/shared/memory-folder.ts'
import { Store } from '../../src/shared/store.ts'
import { emptyStore, temporaryFolder } from './shared-memory.ts'

describe('FdAllocator', () => {
  test('gives safe integers over 0, each greater than the last', (t) => {
    const fds = new FdAllocator(emptyStore(t))

    const given = Array.from({ length: 3000 }, () => fds.next())

    assert.ok(given.every((fd, i) => Number.isSafeInteger(fd) && fd > (given[i - 1] ?? 0)))
  })

  test('gives different ones from each of several over one store', (t) => {
    const store = emptyStore(t)
    const allocators = [new FdAllocator(store), new FdAllocator(store), new FdAllocator(store)]

    const given = Array.from({ length: 2500 }, () => allocators.map((fds) => fds.next())).flat()

    assert.equal(new Set(given).size, 7500)
  })

  test('gives others after a restart, however soon that is', (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(2026, 10, 23) })
    const dir = sharedMemoryDir(temporaryFolder(t))
    const given: number[] = []
    for (let start = 0; start < 20; start++) {
      const store = Store.create({ dir })
      for (let worker = 0; worker < 8; worker++) given.push(new FdAllocator(store).next())
      store.destroy()
      // A process needs longer than that to start.
      t.mock.timers.tick(10)
    }

    assert.equal(new Set(given).size, given.length)
  })

  test('gives some that stay safe integers for two hundred years', (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(2226, 0, 1) })

    assert.ok(Number.isSafeInteger(new FdAllocator(emptyStore(t)).next()))
  })
})
