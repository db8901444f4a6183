import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createDaemon } from 'polyport'
import { blockWith, ROOT } from './blocks.ts'

const PAGE = 'docs/tls.md'
const hasOpenssl = spawnSync('openssl', ['version']).status === 0

test('what docs/tls.md shows by hand answers', { skip: !hasOpenssl && 'there is no openssl' }, async (t) => {
  mkdirSync(join(ROOT, 'test/.tmp'), { recursive: true })
  const cwd = mkdtempSync(join(ROOT, 'test/.tmp/tls-docs-'))
  t.after(() => rmSync(cwd, { recursive: true, force: true }))
  const made = spawnSync('sh', ['-c', blockWith(PAGE, 'openssl req')], { cwd, encoding: 'utf8' })
  assert.equal(made.status, 0, made.stderr)
  writeFileSync(join(cwd, 'config.json'), blockWith(PAGE, '"name": "line"').replace('5291', '0'))
  writeFileSync(join(cwd, 'line.ts'), blockWith(PAGE, 'class Line'))
  const daemon = await createDaemon(join(cwd, 'config.json'))
  t.after(() => daemon.stop())
  const port = daemon.ports[0]?.address.split(':').at(-1) ?? ''
  const client = spawn('sh', ['-c', blockWith(PAGE, 's_client').replace('5291', port)], { cwd })
  t.after(() => client.kill())
  let shown = ''
  const answer = new Promise<void>((resolve) => {
    client.stdout.on('data', (chunk) => {
      shown += chunk
      if (shown.includes('\n')) resolve()
    })
    client.on('close', () => resolve())
  })
  await answer

  assert.equal(shown, 'TLSv1.3 carries hello\r\n')
})
