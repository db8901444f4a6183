import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { childrenOf, DaemonProcess } from '../daemon-process.ts'

const FILES = {
  'ws.js': `import { WebSocketHandler } from 'polyport'
const ANSWERS = {
  longUid: { uid: 'x'.repeat(401) },
  emptyUid: { uid: '' },
  numberUid: { uid: 7 },
  longGroup: { groups: ['room', 'x'.repeat(401)] },
  textGroups: { groups: 'room' },
  textData: { data: 'text' },
  objectBody: { status: 403, body: { error: 'no' } },
  textStatus: { status: '403' },
  informationalStatus: { status: 101 },
  text: 'no',
  number: 0,
  null: null,
  noStatus: { code: 401, body: 'log in first' },
  userId: { userId: 'ada' },
  good: { uid: 'ada', groups: ['room'], data: { since: 1 } },
  refused: { status: 402, body: 'pay first' },
}
export default class Door extends WebSocketHandler {
  onUpgrade(request) { return ANSWERS[request.url.slice(1)] }
  onOpen(connection) { connection.send(JSON.stringify([connection.uid, this.daemon.info(connection.fd)?.groups, connection.data])) }
  onMessage() {}
}`,
}

/** The status that refuses a WebSocket, or what it is greeted with. */
async function ask(t: TestContext, daemon: DaemonProcess, path: string): Promise<string | number> {
  const { host, port } = await daemon.address('ws')
  const socket = new WebSocket(`ws://${host}:${port}/${path}`)
  t.after(() => socket.terminate())
  socket.on('error', () => {})
  return Promise.race([
    once(socket, 'unexpected-response').then(([, response]) => response.statusCode as number),
    once(socket, 'message').then(([data]) => String(data)),
    once(socket, 'close').then(() => 'closed'),
  ])
}

test('an answer of onUpgrade that means nothing is a failure of the handler: 500, and nothing else ends', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: [{ name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js' }] }, { files: FILES })
  const pids = childrenOf(daemon.pid)
  const wrong = [
    'longUid',
    'emptyUid',
    'numberUid',
    'longGroup',
    'textGroups',
    'textData',
    'objectBody',
    'textStatus',
    'informationalStatus',
    'text',
    'number',
    'null',
    'noStatus',
    'userId',
  ]

  for (const path of wrong) assert.equal(await ask(t, daemon, path), 500, path)

  assert.equal(await ask(t, daemon, 'refused'), 402)
  assert.equal(await ask(t, daemon, 'good'), JSON.stringify(['ada', ['room'], { since: 1 }]))
  assert.deepEqual(childrenOf(daemon.pid), pids, 'the worker lives')
  assert.match(await daemon.metrics(), new RegExp(`polyport_handler_errors_total\\{port="ws"\\} ${wrong.length}\\b`))
  assert.match(await daemon.line(/"callback":"onUpgrade"/), /Cannot use 'x+'\.\.\. 341 more characters as the name of a user/)
})
