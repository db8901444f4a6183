import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { type ParseError, parse } from 'jsonc-parser'
import { resolveConfig } from '../../src/config/load-config.ts'
import type { ConfigInput } from '../../src/config/schema.ts'
import { makeCertificate } from '../certificates.ts'
import { blocks, ROOT } from './blocks.ts'

const PORT = { protocol: 'tcp', port: 0, handler: './handler.ts' }

// The certificates that docs/tls.md speaks of.
const folder = mkdtempSync(join(tmpdir(), 'polyport-docs-'))
after(() => rmSync(folder, { recursive: true, force: true }))
mkdirSync(join(folder, 'certs'))
for (const [file, name] of Object.entries({
  '': 'localhost',
  'certs/example.com': 'example.com',
  'certs/example.org': 'example.org',
  'certs/devices-ca': 'ca',
})) {
  const { cert, key } = makeCertificate({ name, names: [name, `*.${name}`] })
  writeFileSync(join(folder, file === '' ? 'cert.pem' : `${file}.pem`), cert)
  writeFileSync(join(folder, file === '' ? 'key.pem' : `${file}.key`), key)
}

/** A block may be a whole config, one port of it, or one or more keys. */
function configOf(text: string): unknown {
  const errors: ParseError[] = []
  const isFragment = /^\s*"/.test(text)
  const value = parse(isFragment ? `{${text}}` : text, errors, { allowTrailingComma: true }) as Record<string, unknown>
  assert.deepEqual(errors, [])
  if ('ports' in value) return value
  return 'protocol' in value ? { ports: [value] } : { ports: [PORT], ...value }
}

describe('config blocks of the docs', () => {
  const examples = [...blocks('json'), ...blocks('jsonc')].filter(({ text }) => !text.includes('"compilerOptions"'))
  assert.ok(examples.length >= 4)
  for (const { place, text } of examples) {
    test(`${place} is a valid config`, () => {
      resolveConfig(configOf(text) as ConfigInput, { dir: folder })
    })
  }

  test('a block with a key that does not exist would be found', () => {
    assert.throws(() => resolveConfig(configOf('{ "protocol": "tcp", "port": 1, "handler": "./a.ts", "hostt": "x" }') as ConfigInput), /hostt/)
  })

  test('the inline framings of docs/handlers.md are valid', () => {
    const page = readFileSync(join(ROOT, 'docs/handlers.md'), 'utf8')
    const framings = [...page.matchAll(/^\| `(\{ "type".*?\})`/gm)].map(([, framing]) => framing ?? '')

    assert.equal(framings.length, 4)
    for (const framing of framings) resolveConfig({ ports: [{ ...PORT, framing: JSON.parse(framing) }] } as ConfigInput)
  })
})
