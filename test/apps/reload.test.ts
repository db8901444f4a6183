import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import { describe, test } from 'node:test'
import { childrenOf, DaemonProcess } from '../daemon-process.ts'
import { ask } from '../suites/app-suite.ts'

/** The same app in each framework: VERSION is written anew before a reload. */
const APPS = {
  express: `import express from 'express'
    const app = express()
    let response
    app.get('/version', (_request, response) => response.send('VERSION'))
    app.get('/events', (_request, events) => { response = events; events.type('text/event-stream').write('data: VERSION\\n\\n') })
    app.post('/upload', (request, response) => { let n = 0; request.on('data', (chunk) => { n += chunk.length }).on('end', () => response.send('VERSION got ' + n)) })
    process.on('SIGUSR2', () => response?.end('data: end\\n\\n'))
    export default app`,
  fastify: `import { fastify } from 'fastify'
    const app = fastify()
    let response
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    app.get('/version', async () => 'VERSION')
    app.get('/events', (_request, reply) => { reply.hijack(); response = reply.raw; response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: VERSION\\n\\n') })
    app.post('/upload', async (request) => { let n = 0; for await (const chunk of request.body) n += chunk.length; return 'VERSION got ' + n })
    process.on('SIGUSR2', () => response?.end('data: end\\n\\n'))
    app.addHook('onClose', async () => { if (response && !response.writableFinished) throw new Error('closed too early') })
    export default app`,
  hono: `import { Hono } from 'hono'
    const app = new Hono()
    let controller
    const text = (words) => new TextEncoder().encode(words)
    app.get('/version', (c) => c.text('VERSION'))
    app.get('/events', (c) => c.body(new ReadableStream({ start(one) { controller = one; one.enqueue(text('data: VERSION\\n\\n')) } }), 200, { 'Content-Type': 'text/event-stream' }))
    app.post('/upload', async (c) => c.text('VERSION got ' + (await c.req.arrayBuffer()).byteLength))
    process.on('SIGUSR2', () => { controller?.enqueue(text('data: end\\n\\n')); controller?.close() })
    export default app`,
}

describe('a reload', () => {
  for (const [name, source] of Object.entries(APPS)) {
    test(`lets an event stream and an upload of ${name} end in the old worker, and serves others with the new code`, async (t) => {
      const ports = [{ name: 'web', protocol: 'http', port: 0, handler: './app.mjs' }]
      const files = { 'app.mjs': source.replaceAll('VERSION', 'old') }
      const daemon = await DaemonProcess.start(t, { ports, maxWaitSeconds: 20 }, { files })
      const { port } = await daemon.address('web')
      const [worker] = childrenOf(daemon.pid)
      assert.ok(worker)
      const events = await openEvents(port)
      const upload = await openUpload(port)
      const idle = new http.Agent({ keepAlive: true, maxSockets: 1 })
      t.after(() => idle.destroy())
      assert.equal(await versionBy(idle, port), 'old')

      writeFileSync(`${daemon.dir}/app.mjs`, source.replaceAll('VERSION', 'new'))
      assert.deepEqual((await daemon.request('POST', '/api/reload')).status, 200)

      assert.equal((await ask(port, { path: '/version' })).body, 'new')
      assert.equal(await versionBy(idle, port), 'new', 'the idle connection has moved')
      assert.equal(await upload.end(), 'old got 2000')
      process.kill(worker, 'SIGUSR2')
      assert.equal(await events.rest, 'data: end\n\n')
      await until(() => !childrenOf(daemon.pid).includes(worker))
      assert.doesNotMatch(daemon.lines.join('\n'), /"level":"(error|fatal)"/)
    })
  }
})

async function openEvents(port: number): Promise<{ rest: Promise<string> }> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path: '/events', agent: false }, (response) => {
      response.setEncoding('utf8').once('data', (first: string) => {
        assert.equal(first, 'data: old\n\n')
        let text = ''
        response.on('data', (chunk: string) => {
          text += chunk
        })
        resolve({ rest: new Promise((done, broken) => response.on('end', () => done(text)).on('error', broken)) })
      })
    })
    request.on('error', reject)
  })
}

/** An upload whose first half has been sent. */
function openUpload(port: number): Promise<{ end: () => Promise<string> }> {
  const request = http.request({
    host: '127.0.0.1',
    port,
    path: '/upload',
    method: 'POST',
    agent: false,
    headers: { 'Content-Type': 'application/octet-stream' },
  })
  const answer = new Promise<string>((resolve, reject) => {
    request.on('response', async (response) => {
      let body = ''
      for await (const chunk of response) body += chunk
      resolve(body)
    })
    request.on('error', reject)
  })
  return new Promise((resolve) => {
    request.write('x'.repeat(1000), () => {
      resolve({
        end: () => {
          request.end('y'.repeat(1000))
          return answer
        },
      })
    })
  })
}

function versionBy(agent: http.Agent, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    http
      .get({ agent, host: '127.0.0.1', port, path: '/version' }, async (response) => {
        let body = ''
        for await (const chunk of response) body += chunk
        resolve(body)
      })
      .on('error', reject)
  })
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 10))
}
