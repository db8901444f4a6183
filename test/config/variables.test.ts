import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { loadConfig } from '../../src/config/load-config.ts'
import type { Config } from '../../src/config/schema.ts'
import { configFolder, problemsOf } from './config-folder.ts'

interface Options {
  readonly environment?: Record<string, string | undefined>
  readonly env?: string
}

/** A config with these keys beside a port that is right. */
function load(keys: object, options: Options = {}, files: Record<string, string> = {}): Config {
  const text = JSON.stringify({ ports: [{ protocol: 'tcp', port: 0, handler: './h.ts' }], ...keys })
  return loadConfig(join(configFolder({ 'config.json': text, 'h.ts': '', ...files }), 'config.json'), { environment: {}, ...options })
}

describe('variables in a config', () => {
  const texts: readonly (readonly [text: string, value: string])[] = [
    ['a${A}b', 'a1b'],
    ['${A}${A}', '11'],
    ['${NONE:-x}', 'x'],
    ['${EMPTY:-x}', 'x'],
    ['a${EMPTY}', 'a'],
    ['${NONE:-}a', 'a'],
    ['${NONE:-a:-b}', 'a:-b'],
    ['$${A}', '${A}'],
    ['$A', '$A'],
    ['$$', '$$'],
    ['${A:-}', '1'],
  ]
  for (const [text, value] of texts) {
    test(`${text} becomes ${value}`, () => {
      assert.equal(load({ serverHeader: text }, { environment: { A: '1', EMPTY: '' } }).serverHeader, value)
    })
  }

  test('become numbers and booleans where these are expected, and only there', () => {
    const port = { protocol: 'tcp', port: '${PORT:-5200}', handler: './h.ts', enabled: '${ON}', options: { text: '${PORT:-5200}' } }
    const tables = { t: { size: '${SIZE}', columns: { x: { type: 'int', size: '${BYTES}' } } } }
    const config = load(
      { workers: '${W:-2}', maxWaitSeconds: '${S}', ports: [port], tables },
      { environment: { ON: 'true', SIZE: '10', BYTES: '4', S: '0.5' } },
    )

    assert.equal(config.workers, 2)
    assert.equal(config.maxWaitSeconds, 0.5)
    assert.deepEqual([config.ports[0]?.port, config.ports[0]?.enabled, config.ports[0]?.options], [5200, true, { text: '5200' }])
    assert.deepEqual(config.tables, { t: { size: 10, columns: { x: { type: 'int', size: 4 } }, persist: false } })
  })

  test('keep the word "auto"', () => {
    assert.ok(load({ workers: '${W}' }, { environment: { W: 'auto' } }).workers >= 1)
  })

  test('in the keys of a framing choose its form', () => {
    const port = { protocol: 'tcp', port: 0, handler: './h.ts', framing: { type: '${F}', maxLength: '${M}' } }

    assert.deepEqual(load({ ports: [port] }, { environment: { F: 'length', M: '10' } }).ports[0]?.framing, {
      type: 'length',
      field: 'u32be',
      offset: 0,
      maxLength: 10,
    })
  })

  test('are not looked for in what an environment inherits', () => {
    assert.throws(() => load({ serverHeader: '${constructor}' }), /the environment variable constructor is not set/)
  })

  test('come from the environment of the process without options', () => {
    const dir = configFolder({
      'config.json': '{ "name": "${POLYPORT_TEST_NAME}", "ports": [{ "protocol": "tcp", "port": 0, "handler": "./h.ts" }] }',
      'h.ts': '',
    })
    process.env['POLYPORT_TEST_NAME'] = 'from-process'

    try {
      assert.equal(loadConfig(join(dir, 'config.json')).name, 'from-process')
    } finally {
      delete process.env['POLYPORT_TEST_NAME']
    }
  })
})

describe('-e', () => {
  test('reads .env.NAME, which the environment overrides', () => {
    const files = { '.env.prod': '# comment\nA=file\nB="with # and space"\n' }

    assert.equal(load({ serverHeader: '${A} ${B}' }, { env: 'prod' }, files).serverHeader, 'file with # and space')
    assert.equal(load({ serverHeader: '${A}' }, { env: 'prod', environment: { A: 'process' } }, files).serverHeader, 'process')
  })

  test('reads no file when it is not given', () => {
    assert.throws(() => load({ serverHeader: '${A}' }, {}, { '.env.prod': 'A=1' }), /A is not set/)
  })

  test('names a file that is not there, beside all other problems', () => {
    const dir = configFolder({ 'config.json': '{ "ports": [] }' })

    assert.deepEqual(
      problemsOf(() => loadConfig(join(dir, 'config.json'), { env: 'prod', environment: {} }), dir),
      ['.env.prod: there is no such file, which "-e prod" asks for', 'config.json:1:12: ports: expected at least 1 entry, found 0'],
    )
  })

  test('takes lines as they are written on any system', () => {
    const lines = ['\uFEFFexport A=1 # one', 'EMPTY= ', "B = 'two", "lines' # and a comment", '', '  C-1.x=', 'D="#\t4"']

    for (const end of ['\n', '\r\n', '\r']) {
      const files = { '.env.prod': lines.join(end) }
      const text = { a: '${A}', empty: '${EMPTY:-none}', b: '${B}', d: '${D}' }
      const port = { protocol: 'tcp', port: 0, handler: './h.ts', options: text }
      assert.deepEqual(load({ ports: [port] }, { env: 'prod' }, files).ports[0]?.options, { a: '1', empty: 'none', b: 'two\nlines', d: '#\t4' })
    }
  })

  test('names every line that says nothing, without what is in it', () => {
    const lines = ['A=1', 'SECRET hunter2', 'a b=hunter2', 'B="x', 'y" # good', '=hunter2', 'C="a"hunter2"', 'D: hunter2', "E='hunter2", 'F=1']
    const dir = configFolder({
      'config.json': JSON.stringify({ ports: [{ protocol: 'tcp', port: 0, handler: './h.ts' }] }),
      'h.ts': '',
      '.env.prod': lines.join('\n'),
    })

    const problems = problemsOf(() => loadConfig(join(dir, 'config.json'), { env: 'prod', environment: {} }), dir)

    assert.deepEqual(
      problems.map((problem) => problem.split(':')[1]),
      ['2', '3', '6', '7', '8', '9'],
    )
    assert.equal(problems[0], '.env.prod:2:1: this line says nothing: expected NAME=value, or "#" before a comment')
    assert.match(problems[3] ?? '', /something behind the closing quote/)
    assert.match(problems[5] ?? '', /has no closing quote/)
    assert.doesNotMatch(problems.join(), /hunter2/)
  })

  test('takes no path', () => {
    assert.throws(() => load({}, { env: '../x' }), /"\.\.\/x" cannot name an environment: expected letters, digits, "_", "-" or "\."/)
  })
})
