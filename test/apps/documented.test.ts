import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type Asked, ask, portOf } from '../suites/app-suite.ts'
import { serveFiles } from './temporary.ts'

const MODULES = join(import.meta.dirname, '..', '..', 'node_modules')
const JSON_BODY = { method: 'POST', path: '/', headers: { 'Content-Type': 'application/json' }, body: '{"hello":"world"}' }
const FORM_BODY = { method: 'POST', path: '/', headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'hello=world' }

/** A program that listens at its end, as a module that exports its app. */
function exported(source: string, name: string): string {
  const [head = ''] = source.split(new RegExp(`^${name}\\.listen\\(`, 'm'))
  return `${head}\nmodule.exports = ${name}\n`
}

const FASTIFY: readonly (readonly [file: string, ...requests: readonly (readonly [Asked, status: number, body: unknown])[]])[] = [
  ['simple.js', [{ path: '/' }, 200, { hello: 'world' }]],
  ['asyncawait.js', [{ path: '/await' }, 200, { hello: 'world' }], [{ path: '/' }, 200, { hello: 'world' }]],
  ['hooks.js', [JSON_BODY, 200, { hello: 'world' }], [{ ...JSON_BODY, body: '{}' }, 400, undefined]],
  [
    'route-prefix.js',
    [{ path: '/english/hello' }, 200, { greet: 'hello' }],
    [{ path: '/italian/hello' }, 200, { greet: 'ciao' }],
    [{ path: '/hello' }, 404, undefined],
  ],
  ['shared-schema.js', [{ path: '/' }, 200, { hello: 'world' }]],
  ['simple-stream.js', [{ path: '/' }, 200, 'hello world']],
  ['use-plugin.js', [JSON_BODY, 200, { hello: 'world' }], [{ path: '/' }, 200, { hello: 'world' }]],
]

describe("Fastify's own examples", () => {
  for (const [file, ...requests] of FASTIFY) {
    test(file, async (t) => {
      const examples = join(MODULES, 'fastify', 'examples')
      const source = readFileSync(join(examples, file), 'utf8')
        .replaceAll('logger: true', 'logger: false')
        .replaceAll(/console\.log\(.*\)/g, '')
      const app = exported(source, 'fastify').replaceAll("'../fastify'", "'fastify'").replaceAll("'./plugin'", `'${examples}/plugin.js'`)
      const daemon = await serveFiles(t, { 'app.cjs': app })

      for (const [asked, status, body] of requests) {
        const answer = await ask(portOf(daemon), asked)
        assert.equal(answer.status, status)
        if (body !== undefined) assert.equal(answer.body, typeof body === 'string' ? body : JSON.stringify(body))
      }
    })
  }

  test('the first server of the getting-started guide, in ESM and in CommonJS', async (t) => {
    const page = readFileSync(join(MODULES, 'fastify/docs/Guides/Getting-Started.md'), 'utf8')
    const [, esm = '', commonJs = '', rest = ''] = /\/\/ ESM\n(import [\s\S]*?)\/\/ CommonJs\n([\s\S]*?\n\}\))([\s\S]*?)```/.exec(page) ?? []
    const files = [
      ['app.mjs', exported(esm + rest, 'fastify').replace('module.exports =', 'export default')],
      ['app.cjs', exported(commonJs + rest, 'fastify')],
    ] as const
    for (const [name, source] of files) {
      const daemon = await serveFiles(t, { [name]: source.replace('logger: true', 'logger: false') })

      assert.equal((await ask(portOf(daemon), { path: '/' })).body, '{"hello":"world"}')
    }
  })
})

// In the words of Express's guides to routing, middleware, errors and static files.
const EXPRESS_GUIDE = `
import express from 'express'
const app = express()
app.enable('strict routing')
app.set('trust proxy', 'loopback')

const birds = express.Router()
birds.use((req, res, next) => { req.seen = ['router']; next() })
birds.get('/', (req, res) => res.send('Birds home page ' + req.seen))
birds.get('/about', (req, res, next) => { req.seen.push('first'); next() }, (req, res) => res.send(req.seen.join()))
app.use('/birds', birds)

app.param('id', (req, res, next, id) => { req.user = { id: Number(id) }; next() })
app.route('/user/:id')
  .get((req, res) => res.json(req.user))
  .put(express.json(), (req, res) => res.json({ ...req.user, ...req.body }))
app.get('/flights/:from-:to', (req, res) => res.send(req.params))
app.get(/.*fly$/, (req, res) => res.send('/.*fly$/'))
app.get('/user/:id/skip', (req, res, next) => next('route'), () => { throw new Error('not reached') })
app.get('/user/:id/skip', (req, res) => res.send('skipped'))
app.post('/form', express.urlencoded({ extended: true }), (req, res) => res.send(req.body))
app.post('/text', express.text({ limit: 10 }), (req, res) => res.send(req.body))
app.get('/format', (req, res) => res.format({ text: () => res.send('plain'), html: () => res.send('<p>html</p>'), json: () => res.json({ is: 'json' }) }))
app.get('/who', (req, res) => res.send([req.protocol, req.hostname, req.ip, req.ips, req.xhr].join(' ')))
app.get('/download', (req, res) => res.attachment('a b.txt').send('downloaded'))
app.use('/static', express.static(import.meta.dirname))

const admin = express()
admin.get('/', (req, res) => res.send(admin.mountpath + ' ' + req.baseUrl))
app.use('/admin', admin)

app.get('/fails', async () => { throw Object.assign(new Error('no'), { status: 503 }) })
app.use((err, req, res, next) => { if (err.status !== 503) return next(err); res.status(503).set('Retry-After', '7').send({ error: err.message }) })
export default app
`

const EXPRESS: readonly (readonly [Asked, status: number, body: string | RegExp])[] = [
  [{ path: '/birds' }, 200, 'Birds home page router'],
  [{ path: '/birds/about' }, 200, 'router,first'],
  [{ path: '/user/7' }, 200, '{"id":7}'],
  [{ method: 'PUT', path: '/user/7', headers: { 'Content-Type': 'application/json' }, body: '{"name":"Ann"}' }, 200, '{"id":7,"name":"Ann"}'],
  [{ path: '/flights/LAX-SFO' }, 200, '{"from":"LAX","to":"SFO"}'],
  [{ path: '/dragonfly' }, 200, '/.*fly$/'],
  [{ path: '/user/7/skip' }, 200, 'skipped'],
  [{ ...FORM_BODY, path: '/form', body: 'a[b]=1&c=2' }, 200, '{"a":{"b":"1"},"c":"2"}'],
  [{ method: 'POST', path: '/text', headers: { 'Content-Type': 'text/plain' }, body: 'short' }, 200, 'short'],
  [{ method: 'POST', path: '/text', headers: { 'Content-Type': 'text/plain' }, body: 'much too long' }, 413, /PayloadTooLarge/],
  [{ path: '/format', headers: { Accept: 'application/json' } }, 200, '{"is":"json"}'],
  [{ path: '/format', headers: { Accept: 'text/html' } }, 200, '<p>html</p>'],
  [{ path: '/format', headers: { Accept: 'image/png' } }, 406, /Not Acceptable/],
  [
    { path: '/who', headers: { Host: 'a.example', 'X-Forwarded-For': '192.0.2.7', 'X-Forwarded-Proto': 'https', 'X-Requested-With': 'XMLHttpRequest' } },
    200,
    'https a.example 192.0.2.7 192.0.2.7 true',
  ],
  [{ path: '/download' }, 200, 'downloaded'],
  [{ path: '/static/app.mjs', headers: { Range: 'bytes=1-6' } }, 206, 'import'],
  [{ path: '/static/..%2f..%2f..%2fpackage.json' }, 404, /404|Cannot GET/],
  [{ path: '/admin' }, 200, '/admin /admin'],
  [{ path: '/fails' }, 503, '{"error":"no"}'],
  [{ path: '/nowhere' }, 404, /Cannot GET \/nowhere/],
  [{ method: 'OPTIONS', path: '/user/7' }, 200, /GET, HEAD, PUT/],
]

describe("Express's documentation", () => {
  test('the example of its readme', async (t) => {
    const readme = readFileSync(join(MODULES, 'express/Readme.md'), 'utf8')
    const [, block = ''] = /```js\n(import express[\s\S]*?)```/.exec(readme) ?? []
    const daemon = await serveFiles(t, { 'app.mjs': exported(block, 'app').replace('module.exports =', 'export default') })

    assert.equal((await ask(portOf(daemon), { path: '/' })).body, 'Hello World')
  })

  test('what its guides do', async (t) => {
    const daemon = await serveFiles(t, { 'app.mjs': EXPRESS_GUIDE })

    for (const [asked, status, body] of EXPRESS) {
      const answer = await ask(portOf(daemon), asked)
      assert.equal(answer.status, status, `${asked.path}: ${answer.body}`)
      if (typeof body === 'string') assert.equal(answer.body, body)
      else assert.match(answer.body, body)
    }
  })
})
