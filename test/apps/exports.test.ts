import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { createDaemon } from 'polyport'
import { DaemonProcess } from '../daemon-process.ts'
import { ask, portOf } from '../suites/app-suite.ts'
import { folderOf, serveFiles } from './temporary.ts'

const EXPRESS = `import express from 'express'
const app = express()
app.get('/', (request, response) => response.send('express'))
`

/** Name, files (the first is the handler), what GET / answers. */
const FORMS: readonly (readonly [name: string, files: Readonly<Record<string, string>>, body: string])[] = [
  ['a promise of an app', { 'app.mjs': `${EXPRESS} export default Promise.resolve(app)` }, 'express'],
  ['a function that makes an app', { 'app.mjs': `${EXPRESS} export default () => app` }, 'express'],
  ['an async function that makes an app', { 'app.mjs': `${EXPRESS} export default async function make() { return app }` }, 'express'],
  [
    'a function that makes an app of the options of the port',
    { 'app.mjs': `export default async ({ word }) => { const { fastify } = await import('fastify'); return fastify().get('/', async () => word) }` },
    'from the config',
  ],
  ['a function that makes a listener', { 'app.mjs': `export default () => (request, response) => response.end('listener')` }, 'listener'],
  ['a listener that returns null', { 'app.mjs': `export default (request, response) => { response.end('null'); return null }` }, 'null'],
  [
    'the callback of a Koa app',
    { 'app.mjs': `import Koa from 'koa'; const app = new Koa(); app.use((ctx) => { ctx.body = 'koa' }); export default app.callback()` },
    'koa',
  ],
  ['an object with fetch', { 'app.mjs': `export default { word: 'fetched', fetch() { return new Response(this.word) } }` }, 'fetched'],
  ['a CommonJS module', { 'app.cjs': `module.exports = require('express')().get('/', (request, response) => response.send('cjs'))` }, 'cjs'],
  [
    'a module that a compiler made into CommonJS',
    { 'app.cjs': `Object.defineProperty(exports, '__esModule', { value: true }); exports.default = (request, response) => response.end('compiled')` },
    'compiled',
  ],
  [
    'an app in TypeScript',
    {
      'app.ts': `import express, { type Express } from 'express'\nconst app: Express = express()\napp.get('/', (_, response) => void response.send('ts'))\nexport default app`,
    },
    'ts',
  ],
]

/** Name, handler, other keys of the port, what is wrong. */
const MISTAKES: readonly (readonly [name: string, source: string, port: object, expected: string])[] = [
  [
    'an app on a tcp port',
    `${EXPRESS} export default app`,
    { protocol: 'tcp' },
    'ports[0].handler: port "p": the default export is an Express app, which serves an http port, and the protocol is tcp: expected a class that extends TcpHandler',
  ],
  [
    'an app that handles WebSockets',
    `export default { fetch() {} }`,
    { protocol: 'websocket' },
    'ports[0].handler: port "p": the default export is an object with fetch(), which serves an http port, and the protocol is websocket: expected a class that extends WebSocketHandler',
  ],
  [
    'a promise that rejects',
    `export default Promise.reject(new Error('no database'))`,
    {},
    'ports[0].handler: port "p": the promise that is the default export rejects: no database',
  ],
  [
    'a function that fails to make an app',
    `export default async function make() { throw new Error('no database') }`,
    {},
    'ports[0].handler: port "p": make, which makes the app, throws: no database',
  ],
  [
    'a promise that never resolves',
    `export default new Promise(() => {})`,
    {},
    'ports[0].handler: port "p": nothing has come of it within 0.75 s: an import or a promise of this module does not end; make it faster, or raise startSeconds',
  ],
  [
    'a function that makes nothing, such as a listener of one parameter',
    `export default (request) => {}`,
    {},
    'ports[0].handler: port "p": the default export is a function of less than two parameters, which is called to make the app, and it returns undefined, expected an app, or a function of (request, response)',
  ],
  [
    'a server',
    `import http from 'node:http'; export default http.createServer()`,
    {},
    'ports[0].handler: port "p": the default export is a server, expected the app that it was made of: Polyport has a server of its own',
  ],
  [
    'an app with a name',
    `${EXPRESS} export { app }`,
    {},
    'ports[0].handler: port "p": there is no default export, expected a class that extends HttpHandler, or an app: write "export default app"',
  ],
  [
    'an app that listens',
    `${EXPRESS} app.listen(1); export default app`,
    {},
    'ports[0].handler: port "p": the module calls listen() on port 1: its port is the one of the config, so export the app, and call listen() only when the file is run by itself (import.meta.main)',
  ],
  [
    'an app that listens while it is being made',
    `export default async () => { const { fastify } = await import('fastify'); const app = fastify(); await app.listen({ port: 0 }); return app }`,
    {},
    'ports[0].handler: port "p": the module calls listen() on port 0: its port is the one of the config, so export the app, and call listen() only when the file is run by itself (import.meta.main)',
  ],
]

describe('an app as the default export', () => {
  for (const [name, files, body] of FORMS) {
    test(`may be ${name}`, async (t) => {
      const daemon = await serveFiles(t, files, { options: { word: 'from the config' } })

      assert.equal((await ask(portOf(daemon), { path: '/' })).body, body)
    })
  }

  for (const [name, source, port, expected] of MISTAKES) {
    test(`${name} is a mistake`, async (t) => {
      // The runner of Node 22 gives a test up when nothing else keeps the process.
      const alive = setInterval(() => {}, 100)
      t.after(() => clearInterval(alive))
      const dir = folderOf(t, { 'app.mjs': source })
      // Too short for what only takes its time on a busy machine.
      const time = expected.includes('within 0.75 s') ? { startSeconds: 1 } : {}
      const config = { ...time, ports: [{ name: 'p', protocol: 'http', port: 0, handler: './app.mjs', ...port }] }
      writeFileSync(join(dir, 'config.json'), JSON.stringify(config))

      await assert.rejects(createDaemon(join(dir, 'config.json')), (error: Error & { problems: { file: string; path: string; message: string }[] }) => {
        assert.deepEqual(
          error.problems.map(({ file, path, message }) => [file, `${path}: ${message}`]),
          [[join(dir, 'app.mjs'), expected]],
        )
        return true
      })
    })
  }

  test('another server that begins to listen while an app is loaded is left alone', async (t) => {
    const other = http.createServer((_request, response) => response.end('other'))
    t.after(() => other.close())
    const started = serveFiles(t, { 'app.mjs': `${EXPRESS} await new Promise((resolve) => setTimeout(resolve, 50)); export default app` })
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    await started

    assert.equal((await ask((other.address() as { port: number }).port, { path: '/' })).body, 'other')
  })

  test('an app that listens later is not let, and it is logged', async (t) => {
    const source = `${EXPRESS} app.post('/listen', (request, response) => { app.listen(0).on('close', () => response.send('closed')) }); export default app`
    const daemon = await DaemonProcess.start(t, { ports: [{ name: 'p', protocol: 'http', port: 0, handler: './app.mjs' }] }, { files: { 'app.mjs': source } })

    assert.equal((await ask((await daemon.address('p')).port, { method: 'POST', path: '/listen' })).body, 'closed')
    assert.match(await daemon.line(/"level":"error"/), /An app calls listen\(\) on port 0, and is not let/)
  })

  test('a plugin that fails is a mistake of its port', async (t) => {
    const source = `import { fastify } from 'fastify'; const app = fastify(); app.register(async () => { throw new Error('no plugin') }); export default app`
    const daemon = DaemonProcess.spawn(t, { ports: [{ name: 'p', protocol: 'http', port: 0, handler: './app.mjs' }] }, { files: { 'app.mjs': source } })

    assert.equal(await daemon.exited, 2)
    assert.match(daemon.lines.join('\n'), /app\.mjs: port "p": onStart failed: no plugin/)
  })
})

describe('the life of an app', () => {
  test("Fastify's onReady and onClose hooks run once, and daemon() is there in both", async (t) => {
    const source = `import { appendFileSync } from 'node:fs'
      import { fastify } from 'fastify'
      import { daemon } from 'polyport'
      const note = (word) => appendFileSync(import.meta.dirname + '/notes', word + ' ' + daemon().name + '\\n')
      const app = fastify()
      app.addHook('onReady', async () => note('ready'))
      app.addHook('onClose', async () => note('close'))
      export default app`
    const dir = await stopped(t, source)

    assert.equal(readFileSync(join(dir, 'notes'), 'utf8'), 'ready polyport\nclose polyport\n')
  })

  test("Nest's modules are initialised once, and destroyed at a stop", async (t) => {
    const source = `import 'reflect-metadata'
      import { appendFileSync } from 'node:fs'
      import { Module } from '@nestjs/common'
      import { NestFactory } from '@nestjs/core'
      const note = (word) => appendFileSync(import.meta.dirname + '/notes', word + '\\n')
      class AppModule {
        onModuleInit() { note('init') }
        onModuleDestroy() { note('destroy') }
      }
      Module({})(AppModule)
      export default NestFactory.create(AppModule, { logger: false })`
    const dir = await stopped(t, source)

    assert.equal(readFileSync(join(dir, 'notes'), 'utf8'), 'init\ndestroy\n')
  })
})

async function stopped(t: Parameters<typeof folderOf>[0], source: string): Promise<string> {
  const daemon = await DaemonProcess.start(t, { ports: [{ protocol: 'http', port: 0, handler: './app.mjs' }] }, { files: { 'app.mjs': source } })
  assert.equal(await daemon.stop(), 0)
  return daemon.dir
}
