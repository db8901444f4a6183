import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

interface Locked {
  readonly version?: string
  readonly resolved?: string
  readonly integrity?: string
  readonly hasInstallScript?: boolean
  readonly optional?: boolean
  readonly link?: boolean
}

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'))
const { packages } = read('package-lock.json') as { packages: Record<string, Locked> }
const manifest = read('package.json') as { allowScripts: Record<string, boolean>; dependencies: Record<string, string> }

const installed = Object.entries(packages).filter(([path]) => path !== '')
const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)

test('the lock file fixes every package by its hash', () => {
  const loose = installed.filter(([, { integrity, link }]) => link !== true && integrity === undefined)

  assert.deepEqual(loose, [])
  for (const name of Object.keys(manifest.dependencies)) assert.ok(packages[`node_modules/${name}`], name)
})

test('package.json says of every package with an install script whether it may run', () => {
  const scripted = installed.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => nameOf(path))

  assert.deepEqual(
    scripted.filter((name) => manifest.allowScripts[name] === undefined),
    [],
  )
  // Only the Node that the tests run on is fetched by one; what users install runs none.
  assert.deepEqual(
    Object.keys(manifest.allowScripts).filter((name) => manifest.allowScripts[name] === true),
    ['node'],
  )
})
