import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { FolderClaim } from '../../src/shared/folder-claim.ts'
import { temporaryFolder } from './shared-memory.ts'

const MODULE = new URL('../../src/shared/folder-claim.ts', import.meta.url).href
const HOLDER = `const { FolderClaim } = await import(process.argv[1]); await FolderClaim.take(process.argv[2], 0); process.on('message', () => {}); process.send('held')`

describe('FolderClaim', () => {
  test('is given to one at a time, by whatever path, and again when it is released', async (t) => {
    const dir = join(temporaryFolder(t), 'data')
    const claim = await FolderClaim.take(dir, 0)
    const alias = join(temporaryFolder(t), 'alias')
    symlinkSync(dir, alias)

    assert.equal(await FolderClaim.take(alias, 0), undefined)
    const waiting = FolderClaim.take(dir, 10_000)
    claim?.release()

    const next = await waiting
    assert.ok(next)
    next.release()
  })

  test('is free when the process that held it is killed', async (t) => {
    const dir = temporaryFolder(t)
    const holder = spawn(process.execPath, ['--input-type=module', '-e', HOLDER, MODULE, dir], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    t.after(() => holder.kill('SIGKILL'))
    await once(holder, 'message')
    assert.equal(await FolderClaim.take(dir, 0), undefined)

    holder.kill('SIGKILL')

    const claim = await FolderClaim.take(dir, 10_000)
    assert.ok(claim)
    claim.release()
  })
})
