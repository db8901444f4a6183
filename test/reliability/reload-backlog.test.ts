import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, closeAll, DaemonProcess } from '../daemon-process.ts'
import { eventually } from './process-figures.ts'

// More than the sockets between two processes hold, and less than what makes a publisher wait.
const NUM_LINES = 500
const LINE = 'x'.repeat(4000)

const FILES = {
  'line.js': `
import { TcpHandler } from 'polyport'
export default class Line extends TcpHandler {
  onReceive(connection, message) {
    const text = message.toString()
    if (text === 'where') connection.send(this.daemon.worker.slot + ' ' + this.daemon.worker.pid)
    else if (text === 'join') { connection.join('all'); connection.send('joined') }
    else for (let i = 0; i < ${NUM_LINES}; i++) this.daemon.publish('all', i + ' ${LINE}')
  }
}`,
}

test('what was published before a reload reaches a member whose worker had no turn, in order', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: [{ name: 'line', protocol: 'tcp', port: 0, handler: './line.js' }] }, { files: FILES })
  const where = await daemon.address('line')
  const clients: { client: Client; slot: number; pid: number }[] = []
  t.after(() => closeAll(clients.map(({ client }) => client)))
  while (new Set(clients.map(({ slot }) => slot)).size < 2) {
    const client = await Client.open(where)
    client.write('where\r\n')
    const [slot = 0, pid = 0] = (await client.until('\r\n')).trim().split(' ').map(Number)
    clients.push({ client, slot, pid })
  }
  const [publisher, member] = [clients.find(({ slot }) => slot === 0), clients.find(({ slot }) => slot === 1)]
  assert.ok(publisher && member)
  member.client.write('join\r\n')
  await member.client.until('joined\r\n')

  process.kill(member.pid, 'SIGSTOP')
  t.after(() => {
    try {
      process.kill(member.pid, 'SIGCONT')
    } catch {
      // It has ended, as it should.
    }
  })
  publisher.client.write('publish\r\n')
  const reload = daemon.request('POST', '/api/reload')
  await eventually('new workers are there', async () => (await daemon.status()).workers.length === 4)
  process.kill(member.pid, 'SIGCONT')
  assert.equal((await reload).status, 200)
  await member.client.until(`${NUM_LINES - 1} ${LINE}\r\n`)

  const numbers = member.client.text.split('\r\n').flatMap((line) => /^(\d+) x/.exec(line)?.[1] ?? [])
  assert.deepEqual(
    numbers.map(Number),
    Array.from({ length: NUM_LINES }, (_, i) => i),
  )
})
