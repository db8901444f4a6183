// Runs a smaller set of tests on the other supported lines of Node, which come from the npm package `node`.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const LINES = ['22', '24']
const TESTS = ['test/framing/**/*.test.ts', 'test/config/**/*.test.ts', 'test/shared/**/*.test.ts', 'test/net/**/*.test.ts', 'test/protocols/**/*.test.ts']

const folder = mkdtempSync(join(tmpdir(), 'polyport-node-'))
const failed = []
try {
  for (const line of LINES) {
    const prefix = join(folder, line)
    const node = install(line, prefix)
    console.log(`\nNode ${spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim()}`)
    const { status } = spawnSync(node, ['--test', '--test-reporter=spec', '--test-timeout=120000', ...TESTS], { stdio: 'inherit' })
    if (status !== 0) failed.push(line)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (failed.length > 0) console.error(`Tests failed on Node ${failed.join(' and ')}`)
process.exitCode = failed.length > 0 ? 1 : 0

/** @returns the path of the binary */
function install(line, prefix) {
  mkdirSync(prefix)
  // The package's install script fetches the binary for this machine; newer npm asks for leave.
  writeFileSync(join(prefix, 'package.json'), JSON.stringify({ private: true, allowScripts: { node: true } }))
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--prefix', prefix, `node@${line}`], { cwd: prefix, stdio: 'inherit' })
  if (status !== 0) throw new Error(`Cannot install node@${line}`)
  return join(prefix, 'node_modules/node/bin/node')
}
