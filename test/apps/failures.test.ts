import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DaemonProcess } from '../daemon-process.ts'
import { ask } from '../suites/app-suite.ts'

const LISTENER = `export default (request, response) => {
  if (request.url === '/throw') throw new Error('thrown')
  if (request.url === '/reject') return Promise.reject(new Error('rejected'))
  if (request.url === '/late') return new Promise((resolve) => response.write('half', resolve)).then(() => { throw new Error('late') })
  response.end('fine')
}`
const FETCH = `export default { async fetch(request) {
  if (new URL(request.url).pathname === '/reject') throw new Error('rejected')
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
  assert.deepEqual(await statusAndBody(fetchPort, '/reject'), [500, 'Internal Server Error\n'])

  assert.deepEqual(await statusAndBody(listener, '/'), [200, 'fine'])
  assert.deepEqual(await statusAndBody(fetchPort, '/'), [200, 'fine'])
  const metrics = await daemon.metrics()
  assert.match(metrics, /polyport_handler_errors_total\{port="listener"\} 3/)
  assert.match(metrics, /polyport_handler_errors_total\{port="fetch"\} 1/)
  await daemon.line(/"handler":"FetchApp","callback":"onRequest"/)
  assert.equal((await daemon.status()).workers[0]?.restarts, 0)
})

async function statusAndBody(port: number, path: string): Promise<[number, string]> {
  const { status, body } = await ask(port, { path })
  return [status, body]
}
