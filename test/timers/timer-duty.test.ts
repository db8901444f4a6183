import assert from 'node:assert/strict'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { resolveConfig } from '../../src/config/load-config.ts'
import type { Daemon } from '../../src/contracts/daemon.ts'
import { LocalPost } from '../../src/ipc/local-post.ts'
import { createLog } from '../../src/log/log.ts'
import { TimerDuty } from '../../src/timers/timer-duty.ts'
import { FakeClock } from './fake-clock.ts'

const CONTRACT = new URL('../../src/contracts/timer.ts', import.meta.url).href
const NIGHTLY = `import { Timer } from '${CONTRACT}'
export class Nightly extends Timer { schedule = '0 3 * * *'; timezone = 'UTC'; run() {} }`

/** The timer process before a reload, which runs, and the one behind it, which is loaded. */
async function generations(t: TestContext, clock: FakeClock): Promise<{ old: TimerDuty; next: TimerDuty }> {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'polyport-timers-')))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  writeFileSync(join(dir, 'nightly.ts'), NIGHTLY)
  const config = resolveConfig({ ports: [{ protocol: 'tcp', port: 0, handler: './h.ts' }], timers: { modules: ['./nightly.ts'] } }, { dir })
  const log = createLog({ level: 'silent', format: 'json', name: 'timers', role: 'test' })
  const post = new LocalPost(log)
  t.after(() => post.close())
  const place = { role: 'timer', index: 0 } as const
  const duties = [1, 2].map(
    (owner) => new TimerDuty({ config: { ...config, file: '' }, place, daemon: {} as Daemon, post: post.join(place, owner), log, kill: () => {} }, clock),
  )
  for (const duty of duties) assert.deepEqual(await duty.load(), [])
  const [old, next] = duties as [TimerDuty, TimerDuty]
  await old.start()
  return { old, next }
}

/** The runs of both. */
function runs(...duties: TimerDuty[]): number[] {
  return duties.map((duty) => (duty.report().status as { runs: number }[])[0]?.runs ?? -1)
}

describe('TimerDuty', () => {
  test('runs what was due while one timer process took the place of another', async (t) => {
    const clock = new FakeClock('2026-03-01T02:59:59.900Z')
    const { old, next } = await generations(t, clock)

    await old.leave()
    await old.stop(0)
    await clock.pass(200)
    await next.start()
    assert.deepEqual(runs(old, next), [0, 1])

    await clock.pass(60_000)
    assert.deepEqual(runs(old, next), [0, 1])
  })

  test('does not run again what the timer process before it has run', async (t) => {
    const clock = new FakeClock('2026-03-01T02:59:59.900Z')
    const { old, next } = await generations(t, clock)

    await clock.pass(150)
    await old.leave()
    await old.stop(0)
    await clock.pass(50)
    await next.start()
    await clock.pass(60_000)

    assert.deepEqual(runs(old, next), [1, 0])
  })
})
