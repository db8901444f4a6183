import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, DaemonProcess } from '../daemon-process.ts'

// What JavaScript lets through, and TypeScript would not: each would reach nobody, or too many, without a word.
const FILES = {
  'tcp.js': `import { Task, TcpHandler } from 'polyport'
export class Twice extends Task { handle(n) { return 2 * n } }
export default class Tcp extends TcpHandler {
  async onReceive(connection) {
    const { daemon } = this
    const fd = String(connection.fd)
    const mistakes = {
      sendText: () => daemon.send(fd, 'x'),
      sendConnection: () => daemon.send(connection, 'x'),
      close: () => daemon.close(fd),
      exists: () => daemon.exists(fd),
      info: () => daemon.info(undefined),
      bindFd: () => daemon.bind(fd, 'ann'),
      unbind: () => daemon.unbind(fd),
      join: () => daemon.join(fd, 'all'),
      leave: () => daemon.leave(connection.fd, 5),
      setUid: () => { connection.uid = 'ann' },
      bindNobody: () => connection.bind(undefined),
      sendToUser: () => daemon.sendToUser(5, 'x'),
      isOnline: () => daemon.isOnline(5),
      fdsOf: () => daemon.fdsOf(undefined),
      publishTo: () => daemon.publish(5, 'x'),
      publishKey: () => daemon.publish('all', 'x', { expect: connection.fd }),
      publishFd: () => daemon.publish('all', 'x', connection.fd),
      publishExcept: () => daemon.publish('all', 'x', { except: connection }),
      publishExcepts: () => daemon.publish('all', 'x', { except: [fd] }),
      broadcastKey: () => daemon.broadcast('x', { prot: 'tcp' }),
      broadcastName: () => daemon.broadcast('x', 'tcp'),
      connectionsKey: () => daemon.connections({ grp: 'all' }),
      connectionsPort: () => daemon.connections({ port: 'nope' }),
      connectionsUid: () => daemon.connections({ uid: 5 }),
      sendToHost: () => daemon.sendTo('udp', { host: '127.0.0.1', port: 9 }, 'x'),
      sendToName: () => daemon.sendTo('udp', { address: 'localhost', port: 9 }, 'x'),
      sendToPort: () => daemon.sendTo('udp', { address: '127.0.0.1', port: '9' }, 'x'),
      entries: () => [...daemon.tables.rows.entries({ perfix: 'a' })],
      workerSlot: () => daemon.workers.sendTo('0', 'x'),
      workerCallback: () => daemon.workers.onMessage('x'),
      run: () => daemon.tasks.run(new Twice(1), { timeout: 1 }),
      deliver: () => daemon.tasks.deliver(new Twice(1), 500),
      request: () => daemon.processes.idle.request('x', { timeout: 1 }),
    }
    const said = {}
    for (const [name, mistake] of Object.entries(mistakes)) {
      try { said[name] = 'passed: ' + (await mistake()) } catch (error) { said[name] = error.name + ': ' + error.message }
    }
    const passed = [connection.isOpen, connection.uid, daemon.send(0, 'x'), daemon.isOnline('x'.repeat(500)), daemon.sendToUser('', 'x')]
    daemon.publish('x'.repeat(70_000), 'x')
    connection.send(JSON.stringify({ said, passed }))
  }
}`,
  'udp.js': `import { UdpHandler } from 'polyport'
export default class Udp extends UdpHandler { onPacket() {} }`,
  'idle.js': `import { once } from 'node:events'
import { CustomProcess } from 'polyport'
export default class Idle extends CustomProcess {
  async run() { await once(this.signal, 'abort') }
  onMessage() {}
}`,
}
const CONFIG = {
  ports: [
    { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js' },
    { name: 'udp', protocol: 'udp', port: 0, handler: './udp.js' },
  ],
  tables: { rows: { size: 2, columns: { n: { type: 'int' } } } },
  tasks: { modules: ['./tcp.js'] },
  processes: { idle: { module: './idle.js' } },
}

test('an argument of the wrong kind, or with a key that nobody reads, is refused and not taken for what is not there', async (t) => {
  const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES })
  const client = await Client.open(await daemon.address('tcp'))
  t.after(() => client.socket.destroy())

  client.write('x\r\n')
  const { said, passed } = JSON.parse(await client.until('\r\n')) as { said: Record<string, string>; passed: unknown[] }

  const wrong = Object.entries(said).filter(([, text]) => !/^(TypeError|RangeError|UnknownPortError): Cannot /.test(text))
  assert.deepEqual(wrong, [])
  assert.match(said['sendText'] ?? '', /Cannot use '\d+' as the fd of a connection: expected a number$/)
  assert.equal(said['sendToUser'], 'TypeError: Cannot use 5 as the name of a user: expected a string')
  assert.equal(said['publishKey'], 'TypeError: Cannot publish with "expect": expected except')
  assert.equal(said['broadcastName'], "TypeError: Cannot broadcast with 'tcp': expected { port }")
  assert.equal(said['connectionsPort'], 'UnknownPortError: Cannot look for connections of port "nope": the config has no port of that name')
  assert.equal(said['sendToHost'], 'TypeError: Cannot send a datagram to address undefined: expected an IPv4 or IPv6 address')
  // What clients may have named, and nobody has, is none.
  assert.deepEqual(passed, [true, null, false, false, 0])
})
