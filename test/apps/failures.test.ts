import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { test } from 'node:test'
import { DaemonProcess } from '../daemon-process.ts'
import { eventually } from '../reliability/process-figures.ts'
import { ask } from '../suites/app-suite.ts'

const LISTENER = `export default (request, response) => {
  if (request.url === '/throw') throw new Error('thrown')
  if (request.url === '/reject') return Promise.reject(new Error('rejected'))
  if (request.url === '/late') return new Promise((resolve) => response.write('half', resolve)).then(() => { throw new Error('late') })
  response.end('fine')
}`
const FETCH = `export default { async fetch(request) {
  const { pathname } = new URL(request.url)
  if (pathname === '/reject') throw new Error('rejected')
  if (pathname === '/forgot') return
  if (pathname === '/endless') return new Response(new ReadableStream({ async pull(body) {
    await new Promise(setImmediate)
    body.enqueue(new Uint8Array(10_000))
  } }))
  if (pathname === '/breaks') return new Response(new ReadableStream({ async start(body) {
    body.enqueue(new TextEncoder().encode('half'))
    await new Promise((resolve) => setTimeout(resolve, 50))
    body.error(new Error('body breaks'))
  } }))
  if (pathname === '/secret') return new Response(new ReadableStream({ pull() { throw new Error('connect postgres://me:secret@db') } }))
  return new Response('fine')
} }`

test('what an app without a framework throws is answered with 500, logged and counted, and ends nothing else', async (t) => {
  const ports = [
    { name: 'listener', protocol: 'http', port: 0, handler: './listener.mjs' },
    { name: 'fetch', protocol: 'http', port: 0, handler: './fetch.mjs' },
  ]
  const daemon = await DaemonProcess.start(t, { ports }, { files: { 'listener.mjs': LISTENER, 'fetch.mjs': FETCH } })
  const listener = (await daemon.address('listener')).port
  const fetchPort = (await daemon.address('fetch')).port

  for (const path of ['/throw', '/reject']) assert.deepEqual(await statusAndBody(listener, path), [500, 'Internal Server Error\n'])
  assert.equal((await ask(listener, { path: '/late' })).isWhole, false)
  for (const path of ['/reject', '/forgot']) assert.deepEqual(await statusAndBody(fetchPort, path), [500, 'Internal Server Error\n'])
  assert.equal((await ask(fetchPort, { path: '/breaks' })).isWhole, false)
  const secret = await ask(fetchPort, { path: '/secret' })
  assert.equal(secret.status, 500)
  assert.doesNotMatch(secret.body.toString(), /secret/)

  // One that leaves in the middle is no error.
  const [response] = (await once(http.get({ port: fetchPort, path: '/endless', agent: false }), 'response')) as [http.IncomingMessage]
  response.on('error', () => {}).destroy()
  await eventually('it has gone', async () => (await daemon.status()).ports[1]?.connections === 0)

  assert.deepEqual(await statusAndBody(listener, '/'), [200, 'fine'])
  assert.deepEqual(await statusAndBody(fetchPort, '/'), [200, 'fine'])
  const metrics = await daemon.metrics()
  assert.match(metrics, /polyport_handler_errors_total\{port="listener"\} 3/)
  assert.match(metrics, /polyport_handler_errors_total\{port="fetch"\} 4/)
  for (const message of ['rejected', 'fetch\\(\\) gave undefined, expected a Response', 'body breaks', 'connect postgres://me:secret@db'])
    await daemon.line(new RegExp(`"message":"${message}".*"handler":"FetchApp","callback":"onRequest"`))
  assert.equal((await daemon.status()).workers[0]?.restarts, 0)
})

const EXPRESS = `import express from 'express'
const app = express()
app.get('/', (request, response) => response.send(String(process.pid)))
app.get('/timer', () => { setTimeout(() => { throw new Error('nobody catches this') }, 10) })
app.get('/promise', () => { void Promise.reject(new Error('nobody catches this')) })
app.get('/event', (request) => { setTimeout(() => request.emit('error', new Error('nobody catches this')), 10) })
export default app`
const LIFECYCLE = `export function onWorkerError(daemon, death) { daemon.log.warn({ death }, 'told of a death') }`

for (const path of ['/timer', '/promise', '/event']) {
  test(`what nobody can catch in an Express app (${path}) ends its worker alone: logged with its stack, counted, told, replaced`, async (t) => {
    const ports = [{ name: 'app', protocol: 'http', port: 0, handler: './express.mjs' }]
    const files = { 'express.mjs': EXPRESS, 'lifecycle.mjs': LIFECYCLE }
    const daemon = await DaemonProcess.start(t, { workers: 2, dispatch: 'round-robin', ports, lifecycle: ['./lifecycle.mjs'] }, { files })
    const { host, port } = await daemon.address('app')
    const agents = [new http.Agent({ keepAlive: true, maxSockets: 1 }), new http.Agent({ keepAlive: true, maxSockets: 1 })]
    t.after(() => agents.map((agent) => agent.destroy()))
    const get = async (agent: http.Agent | undefined, path: string): Promise<string> => {
      const [response] = (await once(http.get({ host, port, agent, path }), 'response')) as [http.IncomingMessage]
      return Buffer.concat(await response.toArray()).toString()
    }
    const [dead, other] = await Promise.all(agents.map((agent) => get(agent, '/')))
    assert.notEqual(dead, other)

    const start = performance.now()
    await assert.rejects(get(agents[0], path), /hang up|ECONNRESET/)
    await daemon.line(/"worker":\d.*"msg":"Worker ready"/)
    const ms = performance.now() - start

    t.diagnostic(`replaced after ${ms.toFixed(0)} ms`)
    assert.equal(await get(agents[1], '/'), other, 'the other worker goes on, on the same connection')
    assert.match(await get(undefined, '/'), /^\d+$/)
    const uncaught = daemon.lines.filter((line) => line.includes('nobody catches this'))
    assert.equal(uncaught.length, 1)
    assert.match(uncaught[0] ?? '', /"level":"fatal".*"pid":(\d+).*express\.mjs.*"msg":"Uncaught exception: this worker ends"/)
    assert.equal(/"pid":(\d+)/.exec(uncaught[0] ?? '')?.[1], dead)
    await daemon.line(/"msg":"Worker died/)
    await daemon.line(new RegExp(`"pid":${dead},.*told of a death`))
    const { workers } = await daemon.status()
    assert.equal(
      workers.reduce((sum, { restarts }) => sum + restarts, 0),
      1,
    )
    assert.match(await daemon.metrics(), /polyport_worker_restarts_total\{worker="\d"[^}]*\} 1/)
  })
}

async function statusAndBody(port: number, path: string): Promise<[number, string]> {
  const { status, body } = await ask(port, { path })
  return [status, body]
}
