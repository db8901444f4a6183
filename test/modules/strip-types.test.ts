import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { stripTypes } from '../../src/modules/strip-types.ts'
import { findSyntaxError } from '../../src/modules/syntax-place.ts'
import { folderOf } from '../apps/temporary.ts'

const BROKEN = 'export const whole = 1\nconst broken = = 2\n'

describe('stripTypes', () => {
  test('gives nothing, and does not reject, where no process can be started', async () => {
    // Longer than the system hands to a program: spawn throws.
    assert.deepEqual(await stripTypes([`/${'x'.repeat(200_000)}.ts`]), [])
  })

  test('leaves alone what Node refuses to import: TypeScript of a package', async (t) => {
    const dir = folderOf(t, { 'handler.ts': `import './node_modules/one/index.ts'`, 'node_modules/one/index.ts': 'export const one: number = 1' })

    const stripped = await stripTypes([join(dir, 'handler.ts')])

    assert.deepEqual(
      stripped.map(({ url }) => url),
      [pathToFileURL(join(dir, 'handler.ts')).href],
    )
  })
})

describe('findSyntaxError', () => {
  test('does not take JSON or CommonJS that is imported before it for the mistake', (t) => {
    const dir = folderOf(t, {
      'handler.mjs': `import data from './data.json' with { type: 'json' }\nimport './early.cjs'\nimport './broken.mjs'`,
      'data.json': '{ "a": 1 }',
      'early.cjs': 'if (module.parent) return\nexports.a = 1',
      'broken.mjs': BROKEN,
    })

    assert.deepEqual(findSyntaxError(pathToFileURL(join(dir, 'handler.mjs')).href), { file: join(dir, 'broken.mjs'), line: 2, column: 16, text: '= 2' })
  })

  test('finds a mistake in CommonJS itself', (t) => {
    const dir = folderOf(t, { 'broken.cjs': 'const broken = = 2' })

    assert.equal(findSyntaxError(pathToFileURL(join(dir, 'broken.cjs')).href).line, 1)
  })

  test('is not led astray by what NODE_OPTIONS has a program say first', (t) => {
    const dir = folderOf(t, { 'handler.mjs': BROKEN, 'loud.mjs': 'console.error("loaded")' })
    const before = process.env['NODE_OPTIONS']
    process.env['NODE_OPTIONS'] = `--import ${pathToFileURL(join(dir, 'loud.mjs')).href}`
    t.after(() => {
      if (before === undefined) delete process.env['NODE_OPTIONS']
      else process.env['NODE_OPTIONS'] = before
    })

    assert.equal(findSyntaxError(pathToFileURL(join(dir, 'handler.mjs')).href).line, 2)
  })
})
