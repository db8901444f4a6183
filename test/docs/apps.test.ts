import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { folderOf, serveFiles, serveFolder } from '../apps/temporary.ts'
import { ask, portOf } from '../suites/app-suite.ts'
import { blocksOf, blockWith } from './blocks.ts'

const PAGE = 'docs/apps.md'

const EXAMPLES: readonly (readonly [words: string, body: string])[] = [
  ["response.send('Hello from Express')", 'Hello from Express'],
  ['Hello from Fastify', 'Hello from Fastify'],
  ['Hello from Koa', 'Hello from Koa'],
  ['Hello from Hono', 'Hello from Hono'],
  ['Hello from h3', 'Hello from h3'],
  ['Hello from ${', 'Hello from /'],
]

const NEST_MODULE = `import 'reflect-metadata'
import { Controller, Get, Module } from '@nestjs/common'
class Home { hello() { return 'Hello from Nest' } }
Get()(Home.prototype, 'hello', Object.getOwnPropertyDescriptor(Home.prototype, 'hello'))
Controller()(Home)
export class AppModule {}
Module({ controllers: [Home] })(AppModule)
`

describe('docs/apps.md', () => {
  for (const [words, body] of EXAMPLES) {
    test(`says ${body}`, async (t) => {
      const daemon = await serveFiles(t, { 'app.ts': blockWith(PAGE, words) })

      assert.equal((await ask(portOf(daemon), { path: '/' })).body, body)
    })
  }

  test('pushes to nobody who is not there', async (t) => {
    const daemon = await serveFiles(t, { 'app.ts': blockWith(PAGE, '/notify/:uid') })

    assert.equal((await ask(portOf(daemon), { method: 'POST', path: '/notify/ann' })).body, '0')
  })

  test('says hello from Nest', async (t) => {
    const main = blockWith(PAGE, 'NestFactory.create').replace('abortOnError: false', 'abortOnError: false, logger: false')
    const daemon = await serveFiles(t, { 'main.js': main, 'app.module.js': NEST_MODULE })

    assert.equal((await ask(portOf(daemon), { path: '/' })).body, 'Hello from Nest')
  })

  test('lets its shop decide who may open a WebSocket', async (t) => {
    const files = { 'shop.ts': blockWith(PAGE, 'Log in first'), 'room.ts': blockWith(PAGE, 'class Room') }
    const port = JSON.parse(blockWith(PAGE, '"authorize": true')) as object
    const daemon = await serveFolder(t, folderOf(t, files), { ...port, port: 0 })
    const url = `ws://127.0.0.1:${portOf(daemon)}/ws`
    const stranger = new WebSocket(url).on('error', () => {})
    const [, refusal] = (await once(stranger, 'unexpected-response')) as [unknown, { statusCode: number; destroy: () => void }]
    refusal.destroy()

    const ann = new WebSocket(url, { headers: { Cookie: 'user=ann' } })
    await once(ann, 'open')
    ann.send('hello')
    const [message] = await once(ann, 'message')
    ann.close()

    assert.equal(refusal.statusCode, 401)
    assert.equal(String(message), 'ann: hello')
  })

  test('says how long a request took', async (t) => {
    const files = { 'app.mjs': `export default (request, response) => response.end()`, 'timing.ts': blockWith(PAGE, 'Server-Timing') }
    const daemon = await serveFiles(t, files, { hooks: ['./timing.ts'] })

    assert.match(String((await ask(portOf(daemon), { path: '/' })).headers['server-timing']), /^app;dur=\d+\.\d$/)
  })

  test('has no example that is not run', () => {
    const run = blocksOf(PAGE).filter(({ language, text }) => language === 'ts' && /export/.test(text))

    // Six of the list, the shop, its room, and the hooks.
    assert.equal(run.length, EXAMPLES.length + 3)
  })
})
