import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { makeFolder } from '../src/make-folder.ts'

function temporary(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'polyport-folder-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

describe('makeFolder()', () => {
  test('makes a folder with those that it is in, each with the mode, and takes what is there', (t) => {
    const dir = temporary(t)

    for (const _ of [1, 2]) makeFolder(join(dir, 'a', 'b', 'c'), 0o700)
    symlinkSync(join(dir, 'a'), join(dir, 'link'))
    makeFolder(join(dir, 'link'))
    makeFolder(join(dir, 'link', 'd'))

    for (const path of ['a', 'a/b', 'a/b/c']) assert.equal(statSync(join(dir, path)).mode & 0o777, 0o700)
    assert.ok(statSync(join(dir, 'a', 'd')).isDirectory())
  })

  test('throws where a file is in the way, and where a link leads nowhere', (t) => {
    const dir = temporary(t)
    writeFileSync(join(dir, 'file'), '')
    symlinkSync(join(dir, 'gone'), join(dir, 'link'))

    assert.throws(() => makeFolder(join(dir, 'file')), { code: 'EEXIST' })
    assert.throws(() => makeFolder(join(dir, 'file', 'a')), { code: 'ENOTDIR' })
    assert.throws(() => makeFolder(join(dir, 'link', 'a')), { code: 'EEXIST' })
  })
})
