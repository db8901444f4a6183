import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createDaemon } from 'polyport'
import { Client } from '../daemon-process.ts'
import { WebClient } from '../web-client.ts'
import { blockWith, ROOT } from './blocks.ts'

const TEMPORARY = join(ROOT, 'test/.tmp')

/** Writes the blocks as files, with every port chosen by the system, and starts them. Returns the port numbers by name. */
async function start(t: TestContext, files: Record<string, string>): Promise<Map<string, number>> {
  mkdirSync(TEMPORARY, { recursive: true })
  const folder = mkdtempSync(join(TEMPORARY, 'examples-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text.replace(/"port": \d+/g, '"port": 0'))
  const daemon = await createDaemon(join(folder, 'config.json'))
  t.after(() => daemon.stop())
  return new Map(daemon.ports.map((port) => [port.name, Number(port.address.split(':').at(-1))]))
}

async function open(t: TestContext, port: number | undefined): Promise<Client> {
  const client = await Client.open({ host: '127.0.0.1', port: port ?? 0 })
  t.after(() => client.socket.destroy())
  return client
}

test('the handler of the README asks who it is, and publishes to everybody else', async (t) => {
  const config = blockWith('README.md', './line.ts')
  const ports = await start(t, { 'config.json': config, 'line.ts': blockWith('README.md', 'class Line') })
  const ann = await open(t, ports.get('line'))
  const bob = await open(t, ports.get('line'))

  ann.write('ann\r\n')
  bob.write('bob\r\n')
  await ann.until('Who are you?\r\n')
  await bob.until('Who are you?\r\n')
  bob.write('hello\r\n')

  assert.equal(await ann.until('hello\r\n'), 'Who are you?\r\nbob: hello\r\n')
})

test('the scales of docs/getting-started.md show on the screen', async (t) => {
  const page = 'docs/getting-started.md'
  const files = { 'config.json': blockWith(page, './scales.ts'), 'scales.ts': blockWith(page, 'class Scales'), 'screen.ts': blockWith(page, 'class Screen') }
  const ports = await start(t, files)
  const scale = await open(t, ports.get('scales'))
  scale.write('till-1 250\n')
  await scale.until('ok\n')

  const screen = await WebClient.open(t, `ws://127.0.0.1:${ports.get('screen')}/`)

  assert.equal(await screen.next(), 'till-1: 250 g')
  scale.write('till-2 80\n')
  assert.equal(await screen.next(), 'till-2: 80 g')
})

test('the framing of docs/handlers.md ends a message with a semicolon outside of quotes', async (t) => {
  const handler = `import { TcpHandler } from 'polyport'
    export default class Back extends TcpHandler { onReceive(connection, message) { connection.send('<' + message + '>') } }`
  const port = { name: 'sql', protocol: 'tcp', port: 0, handler: './back.mjs', framing: { type: 'custom', module: './framing.ts' } }
  const files = { 'config.json': JSON.stringify({ ports: [port] }), 'back.mjs': handler, 'framing.ts': blockWith('docs/handlers.md', 'class Statements') }
  const ports = await start(t, files)
  const client = await open(t, ports.get('sql'))

  client.write('say "a;')
  client.write('b";bye;')

  assert.equal(await client.until('<bye>;'), '<say "a;b">;<bye>;')
})

test('the room of docs/handlers.md refuses who has no token', async (t) => {
  const port = { name: 'room', protocol: 'websocket', port: 0, handler: './room.ts', options: { token: 'secret' } }
  const ports = await start(t, { 'config.json': JSON.stringify({ ports: [port] }), 'room.ts': blockWith('docs/handlers.md', 'class Room') })
  const url = `ws://127.0.0.1:${ports.get('room')}/`
  const ann = await WebClient.open(t, `${url}?token=secret`)
  const bob = await WebClient.open(t, `${url}?token=secret`)

  await assert.rejects(WebClient.open(t, `${url}?token=guess`))
  ann.socket.send('hello')

  assert.equal(await bob.next(), 'hello')
})
