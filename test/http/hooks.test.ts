import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { createDaemon } from 'polyport'
import { folderOf, serveFolder } from '../apps/temporary.ts'
import { DaemonProcess } from '../daemon-process.ts'
import { type Answer, type Asked, ask, portOf } from '../suites/app-suite.ts'

const HANDLER = `import { HttpHandler } from 'polyport'
export default class Hello extends HttpHandler {
  async onRequest(request, response) {
    if (request.url === '/fail') throw new Error('failed')
    if (request.url === '/head') return void response.writeHead(201, 'Made', { 'X-Own': 'own', 'X-Both': 'handler' }).end()
    if (request.url === '/list') return void response.writeHead(200, ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']).end()
    if (request.url === '/bad') return void response.writeHead(1000).end()
    response.end('hello ' + request.user)
  }
}`
const EXPRESS = `import express from 'express'
const app = express()
app.get('/', (request, response) => response.send('hello ' + request.user))
export default app`
const NOTES = `import { appendFileSync } from 'node:fs'
const note = (word) => appendFileSync(import.meta.dirname + '/notes', word + ' ')
`
const FIRST = `${NOTES}
export async function onRequestReceived(request) { await null; request.user = 'ann'; note('first-received') }
export function onResponseGenerated(request, response) { response.setHeader('X-Hook', request.user); response.setHeader('X-Both', 'hook'); note('first-generated') }
export async function onRequestFinished(request, response) { await null; note('first-finished-' + response.statusCode) }`
const SECOND = `${NOTES}
export function onRequestReceived(request) { request.user += ' and bob'; note('second-received') }
export function onRequestFinished() { note('second-finished') }`
const FAILING = `
export function onRequestReceived() { throw new Error('received') }
export async function onResponseGenerated() { throw new Error('generated') }
export async function onRequestFinished() { throw new Error('finished') }`

async function start(
  t: TestContext,
  handler: string,
  hooks: Readonly<Record<string, string>>,
  port: object = {},
): Promise<{ get: (path: string, asked?: Partial<Asked>) => Promise<Answer>; notes: () => string; stop: () => Promise<void> }> {
  const dir = folderOf(t, { 'app.mjs': handler, ...hooks, 'public/file.txt': 'file' })
  const daemon = await serveFolder(t, dir, { handler: './app.mjs', hooks: Object.keys(hooks).map((name) => `./${name}`), ...port })
  return {
    get: (path, asked) => ask(portOf(daemon), { path, ...asked }),
    notes: () => readFileSync(join(dir, 'notes'), 'utf8').trim(),
    stop: () => daemon.stop(),
  }
}

describe('hooks', () => {
  for (const [kind, handler] of [
    ['a handler class', HANDLER],
    ['an Express app', EXPRESS],
  ] as const) {
    test(`run in order around the requests of ${kind}`, async (t) => {
      const { get, notes, stop } = await start(t, handler, { 'first.mjs': FIRST, 'second.mjs': SECOND })

      const { body, headers } = await get('/')
      await stop()

      assert.equal(body, 'hello ann and bob')
      assert.equal(headers['x-hook'], 'ann and bob')
      assert.equal(notes(), 'first-received second-received first-generated first-finished-200 second-finished')
    })
  }

  test('see and change a head that the handler writes by itself', async (t) => {
    const { get } = await start(t, HANDLER, { 'first.mjs': FIRST })

    const head = await get('/head')
    const list = await get('/list')

    assert.deepEqual([head.status, head.headers['x-own'], head.headers['x-both'], head.headers['x-hook']], [201, 'own', 'hook', 'ann'])
    assert.deepEqual([list.headers['set-cookie'], list.headers['x-hook']], [['a=1', 'b=2'], 'ann'])
  })

  test('run for what fails, too, and for static files', async (t) => {
    const { get, notes, stop } = await start(t, HANDLER, { 'first.mjs': FIRST }, { static: './public' })

    const answers = [await get('/fail'), await get('/bad'), await get('/file.txt')]
    await stop()

    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers['x-hook']]),
      [
        [500, 'ann'],
        [500, 'ann'],
        [200, 'ann'],
      ],
    )
    assert.equal(notes().match(/finished/g)?.length, 3)
  })

  test('that fail are logged and counted, and end nothing else', async (t) => {
    const ports = [{ name: 'p', protocol: 'http', port: 0, handler: './app.mjs', hooks: ['./failing.mjs', './second.mjs'] }]
    const daemon = await DaemonProcess.start(t, { ports }, { files: { 'app.mjs': HANDLER, 'failing.mjs': FAILING, 'second.mjs': SECOND } })

    const { status, body } = await ask((await daemon.address('p')).port, { path: '/' })

    assert.deepEqual([status, body], [200, 'hello undefined and bob'])
    for (const name of ['onRequestReceived', 'onResponseGenerated', 'onRequestFinished']) await daemon.line(new RegExp(`Handler failed in ${name}`))
    assert.match(await daemon.metrics(), /polyport_handler_errors_total\{port="p"\} 3/)
  })

  test('of a client that goes in the middle are finished all the same', async (t) => {
    const handler = `export default (request, response) => { response.write('half'); setTimeout(() => response.destroy(), 20) }`
    const { get, notes, stop } = await start(t, handler, { 'first.mjs': FIRST })

    assert.equal((await get('/')).isWhole, false)
    await stop()

    assert.match(notes(), /first-finished-200$/)
  })

  test('may be exported by a CommonJS module', async (t) => {
    const { get } = await start(t, HANDLER, { 'hooks.cjs': `module.exports = { onRequestReceived(request) { request.user = 'cjs' } }` })

    assert.equal((await get('/')).body, 'hello cjs')
  })

  for (const [name, source, expected] of [
    ['a name that is misspelt', 'export function onRequestRecieved() {}', 'nothing calls onRequestRecieved, did you mean onRequestReceived?'],
    ['another name', 'export function before() {}', 'nothing calls before, expected onRequestReceived, onResponseGenerated or onRequestFinished'],
    ['what is no function', 'export const onRequestFinished = 1', 'onRequestFinished is a number, expected a function'],
    ['nothing', 'export {}', 'the module exports nothing, expected any of onRequestReceived, onResponseGenerated or onRequestFinished'],
  ] as const) {
    test(`that export ${name} are a mistake`, async (t) => {
      const dir = folderOf(t, { 'app.mjs': HANDLER, 'hooks.mjs': source })
      const ports = [{ name: 'p', protocol: 'http' as const, port: 0, handler: join(dir, 'app.mjs'), hooks: [join(dir, 'hooks.mjs')] }]

      await assert.rejects(createDaemon({ ports }), (error: Error) => {
        assert.equal(error.message, `${join(dir, 'hooks.mjs')}: ports[0].hooks[0]: port "p": ${expected}`)
        return true
      })
    })
  }

  test('that are not there are a mistake of the config', async (t) => {
    const dir = folderOf(t, { 'app.mjs': HANDLER })

    await assert.rejects(
      serveFolder(t, dir, { handler: './app.mjs', hooks: ['./nix.mjs'] }),
      /config\.json:1:\d+: ports\[0\]\.hooks\[0\]: there is no file .*nix\.mjs/,
    )
  })
})
