import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { ToWorker } from '../../src/ipc/messages.ts'
import { Roster } from '../../src/master/roster.ts'
import type { WorkerChild } from '../../src/master/worker-child.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

const MANY = 20_000
const MAX_BYTES_EACH = 50

/** A process that answers at once, or never. */
function child(roster: Roster, { answers }: { answers: boolean }): { child: WorkerChild; end: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const send = (message: ToWorker): boolean => {
    if (answers && message.type === 'report') roster.hear({ type: 'report', id: message.id, report: {} as never })
    return true
  }
  return { child: { ended: promise, state: 'ready', send } as unknown as WorkerChild, end: resolve }
}

describe('Roster', () => {
  test('refresh() waits neither for a process that ends meanwhile nor for one that has ended', async () => {
    const roster = new Roster()
    const { child: silent, end } = child(roster, { answers: false })
    const { child: other } = child(roster, { answers: true })

    const refreshed = roster.refresh([silent, other])
    end()

    assert.equal(await refreshed, 1)
    assert.equal(await roster.refresh([{ ...silent, send: () => false } as unknown as WorkerChild]), 1)
  })

  test('refresh() leaves nothing behind: it is called with every scrape for as long as a process lives', async () => {
    const roster = new Roster()
    const { child: asked } = child(roster, { answers: true })
    await roster.refresh([asked])
    gc()
    const before = process.memoryUsage().heapUsed

    for (let count = 0; count < MANY; count++) assert.equal(await roster.refresh([asked]), 0)

    gc()
    const each = (process.memoryUsage().heapUsed - before) / MANY
    assert.ok(each < MAX_BYTES_EACH, `${each.toFixed(0)} bytes of each`)
  })
})
