import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DaemonProcess } from '../daemon-process.ts'
import { parseMetrics } from '../metrics/text-format.ts'
import { talk } from '../net/raw-http.ts'
import { WebClient } from '../web-client.ts'

const HTTP = `
import { Counter } from 'prom-client'
import { HttpHandler } from 'polyport'
export default class Hostile extends HttpHandler {
  onStart() { this.seen = new Counter({ name: 'app_names_total', help: 'Names.', labelNames: ['name'], registers: [this.daemon.metrics] }) }
  onRequest(request, response) {
    const name = decodeURIComponent(request.url.slice(1))
    this.log.info({ name }, 'Asked by ' + name)
    this.seen.inc({ name })
    this.daemon.tables.names.set(name, { n: 1 })
    response.setHeader('X-Name', name)
    response.end(JSON.stringify({ row: this.daemon.tables.names.get(name), polluted: ({}).n ?? ({}).polluted ?? null }))
  }
}
`
const SOCKET = `
import { WebSocketHandler } from 'polyport'
export default class Hostile extends WebSocketHandler {
  onUpgrade() { return { uid: '__proto__', groups: ['__proto__', 'constructor'], data: JSON.parse('{"__proto__":{"polluted":1}}') } }
  onMessage(connection, message) {
    const { daemon } = this
    connection.send(JSON.stringify([daemon.isOnline('__proto__'), daemon.isOnline('toString'), daemon.groups().toSorted(), ({}).polluted ?? null, daemon.fdsOf('__proto__').length]))
  }
}
`

test('hostile names: no header is split, a line of the log is one line, labels are escaped, and __proto__ is a name like others', async (t) => {
  const daemon = await DaemonProcess.start(
    t,
    {
      log: { level: 'debug', format: 'json' },
      ports: [{ name: 'web', protocol: 'http', port: 0, handler: './http.js', websocket: { path: '/ws', handler: './socket.js' } }],
      tables: { names: { size: 100, columns: { n: { type: 'int' } } } },
    },
    { files: { 'http.js': HTTP, 'socket.js': SOCKET } },
  )
  const { port } = await daemon.address('web')
  const ask = (name: string): ReturnType<typeof talk> => talk(port, [`GET /${encodeURIComponent(name)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`])

  const split = await ask('a\r\nSet-Cookie: evil=1\r\n\r\n<p>')
  assert.equal(split.answers[0]?.status, 500)
  assert.doesNotMatch(JSON.stringify(split.answers), /evil|set-cookie/i)

  await ask('a"b\\c')
  await ask('\u001b[2J\u2028{"level":"fatal"}')
  const proto = await ask('__proto__')
  assert.deepEqual(JSON.parse(proto.answers[0]?.body ?? ''), { row: { n: 1 }, polluted: null })

  const socket = await WebClient.open(t, `ws://127.0.0.1:${port}/ws`)
  socket.socket.send('?')
  assert.deepEqual(JSON.parse(String(await socket.next())), [true, false, ['__proto__', 'constructor'], null, 1])

  for (const line of daemon.lines.filter((text) => text.startsWith('{'))) {
    assert.doesNotThrow(() => JSON.parse(line), line)
    assert.match(line, /^[\u0020-\u007e\u00a1-\u2027\u202a-\uffff]*$/)
  }
  assert.ok(daemon.lines.some((line) => line.includes('evil=1')))
  assert.equal(daemon.lines.filter((line) => /^(Set-Cookie|<p>)/.test(line)).length, 0)

  const names = [
    ...(parseMetrics(await daemon.metrics())
      .get('app_names_total')
      ?.samples.keys() ?? []),
  ]
  assert.ok(
    names.some((series) => series.includes('name="a\\"b\\\\c"')),
    names.join(),
  )
  assert.ok(names.some((series) => series.includes('\\nSet-Cookie')))
})
