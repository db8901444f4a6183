import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { folderOf } from '../apps/temporary.ts'

const LATE = fileURLToPath(new URL('../../src/modules/late-module.ts', import.meta.url))

/** What a program prints, as lines, in a process that has not loaded what the test has. */
function printed(dir: string, program: string): string[] {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: dir,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  assert.equal(stderr, '')
  return stdout.trim().split('\n')
}

describe('withLate', () => {
  test('loads what a package requires when a function of it is called, or a constant read', (t) => {
    const dir = folderOf(t, {
      'package.cjs': `
        const zlib = require('zlib')
        const { createHash } = require('crypto')
        const assert = require('assert')
        exports.level = () => zlib.Z_BEST_SPEED
        exports.hash = (text) => createHash('sha1').update(text).digest('hex')
        exports.check = (value) => assert(value, 'as it says')`,
    })

    const lines = printed(
      dir,
      `import { createRequire } from 'node:module'
       import { withLate } from ${JSON.stringify(LATE)}
       const loaded = () => ['zlib', 'crypto', 'assert'].filter((name) => process.moduleLoadList.includes('NativeModule ' + name)).join()
       const required = withLate(['zlib', 'crypto', 'assert'], () => createRequire(import.meta.url)('./package.cjs'))
       console.log('none', loaded())
       console.log(required.level(), loaded())
       console.log(required.hash('a'), loaded())
       try { required.check(false) } catch ({ message }) { console.log(message, loaded()) }`,
    )

    assert.deepEqual(lines, ['none ', '1 zlib', '86f7e437faa5a7fce15d1ddcb9eaeaea377667b8 zlib,crypto', 'as it says zlib,crypto,assert'])
  })

  test('does so with a package, of which it may need a class', (t) => {
    const dir = folderOf(t, {
      'package.cjs': `
        const { Encoder } = require('dependency')
        exports.encode = (value) => new Encoder('<').encode(value)
        exports.isOne = () => new Encoder('<') instanceof require('dependency/index.js').Encoder`,
      'node_modules/dependency/index.js': `
        console.log('loaded')
        exports.Encoder = class Encoder { constructor(start) { this.start = start } encode(value) { return this.start + value } }`,
    })

    const lines = printed(
      dir,
      `import { createRequire } from 'node:module'
       import { withLate } from ${JSON.stringify(LATE)}
       const required = withLate(['dependency'], () => createRequire(import.meta.url)('./package.cjs'))
       console.log('required')
       console.log(required.encode(1), required.encode(2), required.isOne())`,
    )

    assert.deepEqual(lines, ['required', 'loaded', '<1 <2 true'])
  })

  test('is for those that are loaded meanwhile: others of the process get the real module', (t) => {
    const dir = folderOf(t, { 'package/index.cjs': `exports.zlib = require('zlib')`, 'other.cjs': `exports.zlib = require('zlib')` })

    const lines = printed(
      dir,
      `import { createRequire } from 'node:module'
       import zlib from 'node:zlib'
       import { withLate } from ${JSON.stringify(LATE)}
       const require = createRequire(import.meta.url)
       console.log(withLate(['zlib'], () => require('./package/index.cjs')).zlib === zlib, require('./other.cjs').zlib === zlib)`,
    )

    assert.deepEqual(lines, ['false true'])
  })
})
