import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createDaemon } from 'polyport'
import { blockWith, ROOT } from './blocks.ts'

const PAGE = 'docs/limits.md'
const TEMPORARY = join(ROOT, 'test/.tmp')

/** Starts a port of the page with the handler that is there too, and tells its number. */
async function start(t: TestContext, port: string, handler: { name: string; text: string }): Promise<number> {
  mkdirSync(TEMPORARY, { recursive: true })
  const folder = mkdtempSync(join(TEMPORARY, 'limits-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, handler.name), handler.text)
  writeFileSync(join(folder, 'config.json'), `{ "log": { "level": "silent" }, "ports": [${port.replace(/"port": \d+/, '"port": 0')}] }`)
  const daemon = await createDaemon(join(folder, 'config.json'))
  t.after(() => daemon.stop())
  return Number(daemon.ports[0]?.address.split(':').at(-1))
}

test('the handler of docs/limits.md tells a client its own address', async (t) => {
  const port = await start(t, blockWith(PAGE, './whoami.ts'), { name: 'whoami.ts', text: blockWith(PAGE, 'class Whoami') })
  const ask = (headers: http.OutgoingHttpHeaders): Promise<string> =>
    new Promise((resolve, reject) => {
      http.get({ host: '127.0.0.1', port, agent: false, headers }, async (response) => resolve((await response.toArray()).join(''))).on('error', reject)
    })

  assert.equal(await ask({}), '127.0.0.1')
  assert.equal(await ask({ 'X-Forwarded-For': '203.0.113.9, 192.0.2.1, 10.0.0.7' }), '192.0.2.1')
})
