import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { resolveConfig } from '../../src/config/load-config.ts'
import { ReloadError } from '../../src/errors.ts'
import { createLog } from '../../src/log/log.ts'
import type { Death } from '../../src/master/deaths.ts'
import { Slot } from '../../src/master/slot.ts'

const CONFIG = resolveConfig({ ports: [{ protocol: 'tcp', port: 0, handler: './h.ts' }] })

/** A slot whose processes do not get far. `ended` resolves when so many have ended. */
function slotIn(t: TestContext): { slot: Slot; ended: (count: number) => Promise<Death[]> } {
  const store = mkdtempSync(join(tmpdir(), 'slot-'))
  const deaths: Death[] = []
  let wake = (): void => {}
  let owner = 0
  const log = createLog({ level: 'silent', format: 'json', name: 'test', role: 'master' })
  const slot = new Slot(
    {
      place: { role: 'worker', index: 0 },
      log,
      child: { store, log, onMessage: () => {} },
      nextOwner: () => ++owner,
      hasStarted: () => true,
      onExit: (_slot, _child, death) => {
        deaths.push(death)
        wake()
      },
    },
    CONFIG,
  )
  t.after(() => {
    slot.kill()
    rmSync(store, { recursive: true })
  })
  const ended = async (count: number): Promise<Death[]> => {
    while (deaths.length < count) await new Promise<void>((resolve) => (wake = resolve))
    return deaths
  }
  return { slot, ended }
}

test('a process that the system cannot start counts as one that died: another is tried, and a stop does not wait for it', async (t) => {
  const { slot, ended } = slotIn(t)
  const { execPath } = process
  t.after(() => (process.execPath = execPath))
  // As where no process is left: Node says 'error', and never 'exit'.
  process.execPath = '/nonexistent/node'

  slot.start()

  assert.deepEqual((await ended(3))[2], { code: 1, signal: null, isDeath: true })
  assert.equal(slot.current, undefined)
  await slot.stop(60)
})

test('a start that throws, as fork(2) does without memory, is tried again and ends nobody else', async (t) => {
  const { slot, ended } = slotIn(t)
  const { execPath } = process
  t.after(() => {
    process.execPath = execPath
    delete process.env['TOO_LONG']
  })
  process.execPath = '/nonexistent/node'
  slot.start()
  // Of execve(2): E2BIG, which Node throws, as ENOMEM.
  process.env['TOO_LONG'] = 'x'.repeat(200_000)
  process.execPath = execPath
  await ended(1)
  while (slot.delayMs < 100) await new Promise((resolve) => setTimeout(resolve, 1))

  delete process.env['TOO_LONG']
  process.execPath = '/nonexistent/node'

  assert.equal((await ended(2)).length, 2, 'another start was tried')
})

test('a reload that has begun before a stop starts nothing behind its back', async (t) => {
  const { slot } = slotIn(t)
  await slot.stop(0)

  assert.throws(() => slot.prepare(CONFIG), ReloadError)
  assert.deepEqual(slot.children, [])
})
