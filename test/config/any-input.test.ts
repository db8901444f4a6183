import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { loadConfig, resolveConfig } from '../../src/config/load-config.ts'
import { ConfigError } from '../../src/errors.ts'
import { configFolder } from './config-folder.ts'

// A long run: POLYPORT_FUZZ_RUNS=100000 node --test test/config/any-input.test.ts
const RUNS = Number(process.env['POLYPORT_FUZZ_RUNS'] ?? 500)

const KEYS = [
  'name',
  'workers',
  'ports',
  'protocol',
  'port',
  'path',
  'host',
  'handler',
  'framing',
  'type',
  'eof',
  'offset',
  'field',
  'limits',
  'websocket',
  'static',
]
const WORDS = ['tcp', 'udp', 'http', 'websocket', 'eof', 'length', 'raw', 'custom', './h.ts', '\\x', '${A}', '${', '$${', '::', '\0', '__proto__', 'auto', '']

const leaf = fc.oneof(fc.constantFrom(...WORDS), fc.integer({ min: -1, max: 70_000 }), fc.boolean(), fc.constant(null), fc.double({ noNaN: true }), fc.string())
const key = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...KEYS) },
  fc.constantFrom('admin', 'tables', 'columns', 'size', '__proto__', 'constructor', 'toString'),
  fc.string(),
)
/** JSON that looks like a config: its keys and words, and any others. */
const { value } = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'medium' }, leaf, fc.array(tie('value'), { maxLength: 4 }), fc.dictionary(key, tie('value'), { maxKeys: 8 })),
}))
const small = fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }), fc.dictionary(key, leaf, { maxKeys: 3 }))
const port = fc.record(
  {
    protocol: fc.constantFrom(...WORDS),
    port: leaf,
    path: leaf,
    handler: leaf,
    framing: value,
    limits: value,
    websocket: value,
    origins: small,
    compression: small,
  },
  { requiredKeys: ['protocol'] },
)
const config = fc.record(
  { ports: fc.array(port, { maxLength: 3 }), admin: value, tables: fc.dictionary(key, value), runtimeDir: leaf, name: leaf },
  { requiredKeys: ['ports'] },
)

function throwsOnlyConfigError(call: () => unknown): void {
  try {
    call()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    assert.ok(error.problems.length > 0)
    for (const { message } of error.problems) assert.doesNotMatch(message, /undefined|\[object|NaN$/)
  }
}

describe('on any input', () => {
  const dir = configFolder({ 'h.ts': '' })
  const file = join(dir, 'config.json')

  test('resolveConfig() throws nothing but ConfigError', () => {
    fc.assert(
      fc.property(fc.oneof(config, value), (input) => throwsOnlyConfigError(() => resolveConfig(input, { dir }))),
      { numRuns: RUNS },
    )
  })

  test('loadConfig() throws nothing but ConfigError, with a position', () => {
    const text = fc.oneof(
      config.map((input) => JSON.stringify(input)),
      value.map((input) => JSON.stringify(input)),
      fc.string(),
      fc.constantFrom('"', '{', '[,', '{"a":}', '//'),
    )
    fc.assert(
      fc.property(text, (content) => {
        writeFileSync(file, content)
        throwsOnlyConfigError(() => {
          try {
            loadConfig(file, { environment: { A: '1' } })
          } catch (error) {
            for (const { line, column } of error instanceof ConfigError ? error.problems : []) assert.ok((line ?? 0) >= 1 && (column ?? 0) >= 1)
            throw error
          }
        })
      }),
      { numRuns: RUNS },
    )
  })
})
