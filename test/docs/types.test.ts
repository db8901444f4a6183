import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { blocks, ROOT } from './blocks.ts'

// Within the repository, where `polyport` is this package.
const temporary = join(ROOT, 'test/.tmp')
mkdirSync(temporary, { recursive: true })
const folder = mkdtempSync(join(temporary, 'docs-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test('every ts block of the docs type-checks by the strict rules of this repository', async () => {
  const examples = blocks('ts')
  for (const { place, text } of examples) writeFileSync(join(folder, `${place.replace(/\W/g, '-')}.ts`), `${text}\nexport {}\n`)
  const config = { extends: join(ROOT, 'tsconfig.json'), compilerOptions: { noUnusedLocals: false }, include: ['*.ts'], exclude: [] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))

  const errors = await promisify(execFile)(join(ROOT, 'node_modules/.bin/tsc'), ['--noEmit', '-p', folder], { cwd: folder }).then(
    () => '',
    (error: { stdout?: string }) => error.stdout ?? String(error),
  )

  assert.ok(examples.length >= 5)
  assert.equal(errors, '')
})
