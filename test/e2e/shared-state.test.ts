import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { Client, childrenOf, DaemonProcess } from '../daemon-process.ts'
import { measure, undisturbed } from '../reliability/processor-time.ts'
import { COMMAND_HANDLER, Commander } from './command-port.ts'

const WORKERS = 4
const MEMBER_TCP = `
import { TcpHandler } from 'polyport'
export default class Member extends TcpHandler {
  onConnect(connection) { connection.join('all'); connection.send(JSON.stringify({ fd: connection.fd, slot: this.daemon.worker.slot })) }
  onReceive(connection, message) { connection.bind(message.toString()); connection.send('bound') }
}
`
const MEMBER_WEBSOCKET = `
import { WebSocketHandler } from 'polyport'
export default class Member extends WebSocketHandler {
  onUpgrade(request) { return { uid: new URL(request.url, 'http://x').searchParams.get('uid') ?? undefined, groups: ['all'], data: { seen: 1 } } }
  onOpen(connection) { connection.send(JSON.stringify({ fd: connection.fd, slot: this.daemon.worker.slot, uid: connection.uid, data: connection.data })) }
  onMessage(connection, message) { connection.send(message) }
}
`
const CONFIG = {
  workers: WORKERS,
  ports: [
    { name: 'command', protocol: 'tcp', port: 0, handler: './command.js' },
    { name: 'member', protocol: 'tcp', port: 0, handler: './member.js' },
    { name: 'ws', protocol: 'websocket', port: 0, handler: './member-ws.js' },
  ],
  tables: { t: { size: 1000, columns: { value: { type: 'int' }, name: { type: 'string', size: 20 } } } },
}
const FILES = { 'command.js': COMMAND_HANDLER, 'member.js': MEMBER_TCP, 'member-ws.js': MEMBER_WEBSOCKET }

interface Hello {
  fd: number
  slot: number
}

async function member(where: { host: string; port: number }): Promise<{ client: Client } & Hello> {
  const client = await Client.open(where)
  const hello = JSON.parse(await client.until('\r\n')) as Hello
  client.received = Buffer.alloc(0)
  return { client, ...hello }
}

/** A member on each worker. */
async function members(daemon: DaemonProcess): Promise<({ client: Client } & Hello)[]> {
  const where = await daemon.address('member')
  const bySlot = new Map<number, { client: Client } & Hello>()
  while (bySlot.size < WORKERS) {
    const one = await member(where)
    if (bySlot.has(one.slot)) one.client.socket.destroy()
    else bySlot.set(one.slot, one)
  }
  return [...bySlot.values()]
}

test('every worker reaches every connection, user, group and table', async (t) => {
  const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES })
  const commanders = await Commander.forEachWorker(daemon, 'command', WORKERS)
  const peers = await members(daemon)
  t.after(() => {
    for (const { client } of [...commanders, ...peers]) client.socket.destroy()
  })

  await t.test('send, exists, info', async () => {
    for (const commander of commanders) {
      for (const { client, fd, slot } of peers) {
        client.received = Buffer.alloc(0)
        assert.equal(await commander.call('send', fd, `to ${fd} from ${commander.slot}`), true)
        assert.equal(await client.until('\r\n'), `to ${fd} from ${commander.slot}\r\n`)
        assert.equal(await commander.call('exists', fd), true)
        const info = (await commander.call('info', fd)) as { worker: number; port: string; groups: string[] }
        assert.deepEqual([info.worker, info.port, info.groups], [slot, 'member', ['all']])
      }
      assert.equal(await commander.call('send', 12345, 'nobody'), false)
      assert.equal(await commander.call('exists', 12345), false)
      assert.equal(await commander.call('info', 12345), null)
    }
  })

  await t.test('bind, sendToUser, isOnline, fdsOf, unbind', async () => {
    const [first, second] = peers
    assert.ok(first && second)
    first.client.write('ann\r\n')
    await first.client.until('bound')
    for (const commander of commanders) assert.equal(await commander.call('isOnline', 'ann'), true)
    assert.equal(await commanders[3]?.call('bind', second.fd, 'ann'), true)
    for (const commander of commanders) {
      assert.deepEqual(
        await commander.call('fdsOf', 'ann'),
        [first.fd, second.fd].sort((a, b) => a - b),
      )
      for (const { client } of [first, second]) client.received = Buffer.alloc(0)
      assert.equal(await commander.call('sendToUser', 'ann', 'hello ann'), 2)
      for (const { client } of [first, second]) assert.equal(await client.until('\r\n'), 'hello ann\r\n')
    }
    assert.equal(await commanders[2]?.call('unbind', second.fd), true)
    assert.deepEqual(await commanders[0]?.call('fdsOf', 'ann'), [first.fd])
    assert.equal(await commanders[0]?.call('sendToUser', 'nobody', 'x'), 0)
  })

  await t.test('publish and broadcast over TCP and WebSocket', async () => {
    const { host, port } = await daemon.address('ws')
    const socket = new WebSocket(`ws://${host}:${port}/?uid=bob`)
    const received: string[] = []
    const arrival = (count: number): Promise<void> =>
      new Promise((resolve) => {
        const check = (): void => {
          if (received.length >= count) resolve()
          else socket.once('message', () => setImmediate(check))
        }
        check()
      })
    socket.on('message', (data) => received.push(String(data)))
    await arrival(1)
    const hello = JSON.parse(received[0] ?? '') as { fd: number; uid: string; data: unknown }
    assert.deepEqual([hello.uid, hello.data], ['bob', { seen: 1 }])
    for (const [round, commander] of commanders.entries()) {
      for (const { client } of peers) client.received = Buffer.alloc(0)
      await commander.call('publish', 'all', `news ${round}`)
      for (const { client } of peers) assert.equal(await client.until('\r\n'), `news ${round}\r\n`)
      await arrival(2 + round)
      assert.equal(received.at(-1), `news ${round}`)
    }
    const [left] = peers
    assert.ok(left)
    for (const { client } of peers) client.received = Buffer.alloc(0)
    await commanders[1]?.call('publish', 'all', 'not for one', { except: left.fd })
    await commanders[1]?.call('send', left.fd, 'marker')
    assert.equal(await left.client.until('\r\n'), 'marker\r\n')
    assert.equal(await commanders[0]?.call('leave', left.fd, 'all'), true)
    for (const { client } of peers) client.received = Buffer.alloc(0)
    await commanders[0]?.call('publish', 'all', 'after leaving')
    await commanders[0]?.call('send', left.fd, 'marker')
    assert.equal(await left.client.until('\r\n'), 'marker\r\n')
    assert.equal(await commanders[0]?.call('join', left.fd, 'all'), true)
    await commanders[2]?.call('broadcast', 'to members', { port: 'member' })
    for (const { client } of peers) await client.until('to members\r\n')
    assert.deepEqual(await commanders[2]?.call('groups'), ['all'])
    assert.deepEqual(await commanders[2]?.call('broadcast', 'x', { port: 'nope' }), { error: 'POLYPORT_UNKNOWN_PORT' })
    assert.equal(await commanders[2]?.call('close', hello.fd, 'bye'), true)
    const [code] = await once(socket, 'close')
    assert.equal(code, 1000)
    assert.equal(received.at(-1), 'bye')
  })

  await t.test('connections by port, group and user', async () => {
    for (const commander of commanders) {
      const all = (await commander.call('connections', { port: 'member' })) as { fd: number; worker: number }[]
      assert.deepEqual(
        all.map(({ fd }) => fd),
        peers.map(({ fd }) => fd).sort((a, b) => a - b),
      )
      assert.equal(((await commander.call('connections', { group: 'all' })) as unknown[]).length, WORKERS)
      assert.equal(((await commander.call('connections', { uid: 'ann' })) as unknown[]).length, 1)
    }
  })

  await t.test('tables and counters: 8,000 increments from 4 processes give 8,000', async () => {
    const done = commanders.map((commander) => commander.call('burn', 't', 'sum', 2000))
    assert.deepEqual(await Promise.all(done), ['done', 'done', 'done', 'done'])
    for (const commander of commanders) assert.deepEqual(await commander.table('t', 'get', 'sum'), { value: 8000, name: '' })
    assert.equal(await commanders[0]?.call('counter', 'c', 5), 5)
    assert.equal(await commanders[1]?.call('counter', 'c', 2), 7)
    await commanders[0]?.table('t', 'set', 'k', { name: 'née' })
    assert.equal(await commanders[3]?.table('t', 'get', 'k', 'name'), 'née')
    assert.deepEqual(await commanders[3]?.table('t', 'set', 'k', { name: 'x'.repeat(21) }), { error: 'POLYPORT_TABLE_VALUE' })
    assert.equal(await commanders[2]?.table('t', 'count'), 2)
  })
})

test('kill -9 of a worker: its connections close, the others stay, it is back, nothing of it is left', async (t) => {
  const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES })
  const commanders = await Commander.forEachWorker(daemon, 'command', WORKERS)
  const peers = await members(daemon)
  t.after(() => {
    for (const { client } of [...commanders, ...peers]) client.socket.destroy()
  })
  for (const { client, fd } of peers) {
    client.write(`user-${fd}\r\n`)
    await client.until('bound')
  }
  const before = await daemon.status()
  const victim = before.workers[1]
  assert.ok(victim)
  const [dead, ...living] = [...peers.filter(({ slot }) => slot === 1), ...peers.filter(({ slot }) => slot !== 1)]
  assert.ok(dead)
  const back = daemon.line(/"worker":1.*"msg":"Worker ready"/)

  const measured = await measure(daemon.pid, async () => {
    process.kill(victim.pid, 'SIGKILL')
    await dead.client.closed
    await back
  })
  const [backAfterMs = 0] = undisturbed([measured])

  t.diagnostic(`back after ${measured.ms.toFixed(0)} ms, by itself ${backAfterMs.toFixed(0)}`)
  assert.ok(backAfterMs < 1000, `the worker was back after ${backAfterMs} ms`)
  const [commander] = commanders.filter(({ slot }) => slot !== 1)
  assert.ok(commander)
  assert.equal(await commander.call('exists', dead.fd), false)
  assert.equal(await commander.call('isOnline', `user-${dead.fd}`), false)
  const infos = (await commander.call('connections', { group: 'all' })) as { fd: number }[]
  assert.deepEqual(infos.map(({ fd }) => fd).sort(), living.map(({ fd }) => fd).sort())
  for (const { client, fd } of living) {
    client.received = Buffer.alloc(0)
    assert.equal(await commander.call('send', fd, 'still here'), true)
    assert.equal(await client.until('\r\n'), 'still here\r\n')
  }
  const after = await daemon.status()
  assert.equal(after.workers[1]?.restarts, 1)
  assert.deepEqual(
    after.workers.map(({ pid }) => pid).filter((pid) => pid !== after.workers[1]?.pid),
    before.workers.map(({ pid }) => pid).filter((pid) => pid !== victim.pid),
  )
  assert.equal(childrenOf(daemon.pid).length, WORKERS)
  const again = await Commander.forEachWorker(daemon, 'command', WORKERS)
  for (const { client } of again) client.socket.destroy()
})
