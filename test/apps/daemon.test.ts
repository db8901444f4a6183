import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Client, DaemonProcess } from '../daemon-process.ts'
import { ask } from '../suites/app-suite.ts'

const DEVICE = `import { TcpHandler } from 'polyport'
export default class Device extends TcpHandler {
  onReceive(connection, message) { connection.bind(message.toString()); connection.send('ready') }
}`

const ROUTES = {
  'express.mjs': `import express from 'express'
    import { daemon } from 'polyport'
    export default express().post('/push/:uid', express.text(), (request, response) => response.json(daemon().sendToUser(request.params.uid, request.body)))`,
  'express.cjs': `const express = require('express')
    const { daemon } = require('polyport')
    module.exports = express().post('/push/:uid', express.text(), (request, response) => response.json(daemon().sendToUser(request.params.uid, request.body)))`,
  'fastify.cjs': `const { daemon } = require('polyport')
    const app = require('fastify')()
    app.post('/push/:uid', async (request) => daemon().sendToUser(request.params.uid, request.body))
    module.exports = app`,
  'koa.mjs': `import Koa from 'koa'
    import { daemon } from 'polyport'
    const app = new Koa()
    app.use(async (ctx) => {
      let body = ''
      for await (const chunk of ctx.req) body += chunk
      ctx.body = String(daemon().sendToUser(ctx.path.split('/')[2], body))
    })
    export default app`,
  'hono.mjs': `import { Hono } from 'hono'
    import { daemon } from 'polyport'
    export default new Hono().post('/push/:uid', async (c) => c.json(daemon().sendToUser(c.req.param('uid'), await c.req.text())))`,
}

describe('daemon() in a route', () => {
  for (const [name, source] of Object.entries(ROUTES)) {
    test(`of ${name} pushes to a device on a tcp port, in whichever worker`, async (t) => {
      const ports = [
        { name: 'web', protocol: 'http', port: 0, handler: `./${name}` },
        { name: 'device', protocol: 'tcp', port: 0, handler: './device.mjs' },
      ]
      const daemon = await DaemonProcess.start(t, { workers: 2, dispatch: 'round-robin', ports }, { files: { [name]: source, 'device.mjs': DEVICE } })
      const device = await Client.open(await daemon.address('device'))
      t.after(() => device.socket.destroy())
      device.write('scale-1\r\n')
      await device.until('ready\r\n')
      const { port } = await daemon.address('web')

      // Each in turn goes to another worker.
      for (const text of ['one', 'two']) {
        const answer = await ask(port, { method: 'POST', path: '/push/scale-1', headers: { 'Content-Type': 'text/plain' }, body: text })
        assert.deepEqual([answer.status, answer.body], [200, '1'])
        await device.until(`${text}\r\n`)
      }
      assert.equal((await ask(port, { method: 'POST', path: '/push/nobody', headers: { 'Content-Type': 'text/plain' }, body: 'x' })).body, '0')
    })
  }
})
