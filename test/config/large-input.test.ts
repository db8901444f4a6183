import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { loadConfig } from '../../src/config/load-config.ts'
import { configFolder, problemsOf } from './config-folder.ts'

const MIB = 1024 * 1024
// POLYPORT_LARGE=1: as large as a config may be, which takes half a minute.
const BYTES = process.env['POLYPORT_LARGE'] ? MIB : MIB / 8
// Work that grows with the square of the file would take minutes.
const LIMIT_MS = 20_000

const PORT = '"protocol":"tcp","handler":"./h.ts"'

/** As often as it fits into a file. */
function many(before: string, each: (index: number) => string, after: string): string {
  const parts: string[] = []
  for (let left = BYTES - before.length - after.length - 400, index = 0; left > 0; index++) {
    const part = each(index)
    parts.push(part)
    left -= part.length + 1
  }
  return `${before}${parts.join(',')}${after}`
}

const LARGE: readonly (readonly [name: string, text: string])[] = [
  ['nothing but unknown keys', many('{', (i) => `"k${i}":1`, '}')],
  ['unknown keys in every port', many('{"ports":[', (i) => `{${PORT},"port":0,"k${i}":1}`, ']}')],
  ['ports on one address', many('{"ports":[', () => `{${PORT},"port":5000}`, ']}')],
  ['ports on addresses of their own', many('{"ports":[', (i) => `{${PORT},"port":1,"host":"h${i}"}`, ']}')],
  ['variables where nothing fits', many('{"workers":[', () => '"${A}"', ']}')],
  ['variables that are missing', many('{"ports":[', () => '"${NONE}"', ']}')],
  ['a key again and again', many('{', () => '"name":1', '}')],
  ['a mistake in every line', `${'\n}'.repeat(BYTES / 2 - 10)}`],
  ['lists in lists', many('{"a":', () => '[', '')],
  ['a list of lists of a hundred levels', many('{"ports":[', () => `${'['.repeat(98)}${']'.repeat(98)}`, ']}')],
  ['one long key', `{"${'k'.repeat(BYTES - 100)}":1}`],
  ['one long text', `{"ports":"${'${'.repeat(BYTES / 2 - 100)}"}`],
  ['keys that are nearly known', many('{"ports":[', () => `{"protocl":"tcp","prt":5000,"hanlder":1,"websockte":2,"trustdProxies":3}`, ']}')],
]

describe('loadConfig() of a large file', () => {
  for (const [name, text] of LARGE) {
    test(`${name}: told in a time that does not grow faster than the file`, (t) => {
      const dir = configFolder({ 'config.json': text, 'h.ts': '' })
      const start = performance.now()

      const problems = problemsOf(() => loadConfig(join(dir, 'config.json'), { environment: { A: 'x' } }), dir)

      const ms = performance.now() - start
      t.diagnostic(`${ms.toFixed(0)} ms, ${problems.length} problems`)
      assert.ok(ms < LIMIT_MS, `${ms} ms`)
      assert.ok(problems.length > 0)
      assert.ok(problems.length <= 1001)
    })
  }

  test('more than a thousand problems: the first thousand, and how many more', () => {
    const dir = configFolder({ 'config.json': `{${Array.from({ length: 1500 }, (_, i) => `"k${i}": 1`).join(',\n')}}` })

    const problems = problemsOf(() => loadConfig(join(dir, 'config.json')), dir)

    assert.equal(problems.length, 1001)
    assert.match(problems[999] ?? '', /^config\.json:999:1: k998: unknown key/)
    assert.match(problems[1000] ?? '', /^config\.json: and 501 more$/)
  })

  test('a file that is longer is refused unread, also one without end', () => {
    const dir = configFolder({})
    const file = join(dir, 'config.json')
    writeFileSync(file, ' '.repeat(MIB + 1))

    const message = `longer than a config can be, expected at most ${MIB} bytes`
    assert.deepEqual(
      problemsOf(() => loadConfig(file), dir),
      [`config.json: ${message}`],
    )
    assert.deepEqual(
      problemsOf(() => loadConfig('/dev/zero'), dir),
      [`/dev/zero: ${message}`],
    )
  })
})
