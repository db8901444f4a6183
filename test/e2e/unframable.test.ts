import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Client, DaemonProcess } from '../daemon-process.ts'

// The port's length field counts up to 255 bytes.
const FILES = {
  'tcp.js': `import { TcpHandler } from 'polyport'
const LONG = 'x'.repeat(256)
export default class Guard extends TcpHandler {
  onConnect(connection) { connection.send(connection.fd + ' in ' + this.daemon.worker.slot) }
  onReceive(connection, message) {
    const [command, fd] = message.toString().split(' ')
    if (command === 'ping') return connection.send('pong')
    if (command === 'send') return connection.send(String(this.daemon.send(Number(fd), LONG)))
    if (command === 'close') return connection.send(String(this.daemon.close(Number(fd), LONG)))
    connection.close(LONG)
  }
}`,
}
const CONFIG = {
  workers: 2,
  dispatch: 'round-robin',
  ports: [{ name: 'line', protocol: 'tcp', port: 0, handler: './tcp.js', framing: { type: 'length', field: 'u8' } }],
}

function frame(text: string): string {
  return String.fromCharCode(text.length) + text
}

test('close() with a last message that cannot be framed closes without it, also from another worker, and ends no worker', async (t) => {
  const daemon = await DaemonProcess.start(t, CONFIG, { files: FILES })
  const clients: { readonly client: Client; readonly fd: string; readonly slot: string }[] = []
  for (let i = 0; i < 2; i++) {
    const client = await Client.open(await daemon.address('line'))
    t.after(() => client.socket.destroy())
    const [, fd = '', slot = ''] = /(\d+) in (\d)$/.exec(await client.until(' in '.length + 3)) ?? []
    clients.push({ client, fd, slot })
  }
  const [one, other] = clients
  assert.ok(one !== undefined && other !== undefined)
  assert.notEqual(one.slot, other.slot)

  one.client.write(frame(`send ${other.fd}`))
  await one.client.until(one.client.received.length + 5)
  const before = other.client.received.length
  other.client.write(frame('ping'))
  assert.equal((await other.client.until(before + 5)).slice(before), frame('pong'))

  const closed = once(other.client.socket, 'close')
  one.client.write(frame(`close ${other.fd}`))
  await closed

  const ended = once(one.client.socket, 'close')
  one.client.write(frame('end'))
  await ended
  const metrics = await daemon.metrics()
  assert.match(metrics, /^polyport_handler_errors_total\{port="line"\} 3$/m)
  assert.deepEqual(
    [...metrics.matchAll(/^polyport_worker_restarts_total\{.*\} (\d+)$/gm)].map(([, count]) => count),
    ['0', '0'],
  )
})
