import assert from 'node:assert/strict'
import { test } from 'node:test'
import { childrenOf, DaemonProcess, kill } from '../daemon-process.ts'
import { FILES, PORTS } from './handlers.ts'
import { descriptorsOf, eventually, MIB, memoryOf, sleep } from './process-figures.ts'

// 50 kills in all. More rounds would wait for the delay that grows while a worker keeps dying.
const NUM_SLOTS = 10
const NUM_ROUNDS = 5
const MASTER_GROWTH_LIMIT = 10 * MIB

test('50 kills leave nothing behind in the master', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: NUM_SLOTS, ports: PORTS }, { files: FILES })
  await daemon.metrics()
  // The connection of that question closes.
  await sleep(500)
  const descriptors = descriptorsOf(daemon.pid)
  const { rss } = memoryOf(daemon.pid)
  for (let round = 0; round < NUM_ROUNDS; round++) {
    const killed = childrenOf(daemon.pid)
    killed.forEach(kill)
    // The master may not know yet that they have died.
    const isBack = ({ pid, state }: { pid: number; state: string }): boolean => state === 'ready' && !killed.includes(pid)
    await eventually('every worker is back', async () => (await daemon.status()).workers.every(isBack) && childrenOf(daemon.pid).length === NUM_SLOTS, 60_000)
  }
  await daemon.metrics()
  const growth = memoryOf(daemon.pid).rss - rss

  t.diagnostic(`descriptors ${descriptors} and then ${descriptorsOf(daemon.pid)}; resident memory ${(growth / MIB).toFixed(1)} MiB more`)
  await eventually('there are no more descriptors than before', () => descriptorsOf(daemon.pid) <= descriptors)
  assert.equal(
    (await daemon.status()).workers.reduce((sum, { restarts }) => sum + restarts, 0),
    NUM_SLOTS * NUM_ROUNDS,
  )
  assert.ok(growth <= MASTER_GROWTH_LIMIT, `resident memory grew by ${growth / MIB} MiB`)
})
