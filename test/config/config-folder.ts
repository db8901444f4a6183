import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after } from 'node:test'
import { ConfigError, formatProblem } from '../../src/errors.ts'

/** A folder that ends with the tests of the file. */
export function configFolder(files: Readonly<Record<string, string>>): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'polyport-config-')))
  after(() => rmSync(dir, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), text)
  }
  return dir
}

/** The problems that a call throws, as they are printed, without the folder; fails on any other error. */
export function problemsOf(call: () => unknown, dir = ''): string[] {
  try {
    call()
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map((problem) => formatProblem(problem).replaceAll(`${dir}/`, ''))
  }
}
