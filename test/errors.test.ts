import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import * as errors from '../src/errors.ts'
import * as polyport from '../src/index.ts'

const docs = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8')
const source = readFileSync(new URL('../src/errors.ts', import.meta.url), 'utf8')
const inSource = [...source.matchAll(/class (\w+Error) [\s\S]*?readonly code = '(\w+)'/g)].map(([, name, code]) => `${name} ${code}`)
const inDocs = [...docs.matchAll(/^\| `(\w+Error)` \| `(\w+)` \|/gm)].map(([, name, code]) => `${name} ${code}`)

describe('errors', () => {
  test('docs/errors.md lists every class of src/errors.ts with its code, and no other', () => {
    assert.ok(inSource.length >= 9)
    assert.deepEqual(inDocs.toSorted(), inSource.toSorted())
  })

  test('every code is its own', () => {
    const codes = inSource.map((line) => line.split(' ')[1])

    assert.equal(new Set(codes).size, codes.length)
  })

  test('every class is exported by the package', () => {
    const missing = Object.keys(errors).filter((name) => name.endsWith('Error') && !(name in polyport))

    assert.deepEqual(missing, [])
  })

  test('docs/errors.md lists every close reason, and no other', () => {
    const contract = readFileSync(new URL('../src/contracts/close-reason.ts', import.meta.url), 'utf8')
    const type = contract.slice(contract.indexOf('export type CloseReason'))
    const reasons = [...type.matchAll(/'(\w+)'/g)].map(([, reason]) => reason)
    const section = docs.slice(docs.indexOf('## Why a connection ended'))

    assert.deepEqual([...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, reason]) => reason).toSorted(), reasons.toSorted())
  })

  test('formatProblem() names file, position and path before what is wrong', () => {
    const problem = { file: 'config.json', path: 'ports[0].port', message: 'expected a number', line: 3, column: 14 }

    assert.equal(errors.formatProblem(problem), 'config.json:3:14: ports[0].port: expected a number')
    assert.equal(errors.formatProblem({ file: 'config.json', path: '', message: 'no such file' }), 'config.json: no such file')
  })
})
