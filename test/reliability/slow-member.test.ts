import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { Client, childrenOf, DaemonProcess } from '../daemon-process.ts'
import { eventually, MIB, memoryOf, resetPeak } from './process-figures.ts'

// A line of the publisher: eight digits that count, then anything.
const LINE_BYTES = 8192
const TOTAL = 128 * MIB
const RSS_LIMIT = 96 * MIB
// The publisher waits for the healthy member, as one that has something to say does.
const AHEAD = 256

const PUBLISH = `
import { TcpHandler } from 'polyport'
export default class Publish extends TcpHandler {
  onReceive(connection, message) { this.daemon.publish('all', message) }
}`
const MEMBER = `
import { WebSocketHandler } from 'polyport'
export default class Member extends WebSocketHandler {
  onUpgrade() { return { groups: ['all'] } }
  onOpen(connection) { connection.send('welcome') }
  onMessage() {}
}`

for (const { onOverflow, workers } of [
  { onOverflow: 'close', workers: 1 },
  { onOverflow: 'drop', workers: 1 },
  { onOverflow: 'close', workers: 2 },
]) {
  test(`publish: one member that does not read costs the others nothing, with onOverflow ${onOverflow}, ${workers} workers`, async (t) => {
    const ports = [
      { name: 'publish', protocol: 'tcp', port: 0, handler: './publish.js' },
      { name: 'member', protocol: 'websocket', port: 0, handler: './member.js', limits: { onOverflow } },
    ]
    const daemon = await DaemonProcess.start(t, { workers, ports }, { files: { 'publish.js': PUBLISH, 'member.js': MEMBER } })
    const { host, port } = await daemon.address('member')
    const [healthy, slow] = await Promise.all(
      [0, 1].map(async () => {
        const socket = new WebSocket(`ws://${host}:${port}/`)
        t.after(() => socket.terminate())
        await once(socket, 'message')
        return socket
      }),
    )
    assert.ok(healthy && slow)
    slow.pause()
    let received = 0
    let numWrong = 0
    healthy.on('message', (message: Buffer) => {
      if (message.length !== LINE_BYTES || Number(message.toString('latin1', 0, 8)) !== received) numWrong++
      received++
    })
    const publisher = await Client.open(await daemon.address('publish'))
    t.after(() => publisher.socket.destroy())
    const processes = [daemon.pid, ...childrenOf(daemon.pid)]
    processes.forEach(resetPeak)
    const before = processes.map((pid) => memoryOf(pid).rss)
    const count = TOTAL / LINE_BYTES
    for (let sent = 0; sent < count; sent++) {
      const line = Buffer.alloc(LINE_BYTES + 2, 'x')
      line.write(String(sent).padStart(8, '0'))
      line.write('\r\n', LINE_BYTES)
      publisher.write(line)
      if (sent - received > AHEAD) await eventually('the healthy member has caught up', () => sent - received <= AHEAD)
    }
    await eventually('the healthy member has had everything', () => received === count)
    const growth = processes.reduce((sum, pid, i) => sum + memoryOf(pid).peak - (before[i] ?? 0), 0)

    t.diagnostic(`${received} of ${count}, memory grew by ${(growth / MIB).toFixed(1)} MiB`)
    assert.equal(numWrong, 0)
    assert.ok(growth <= RSS_LIMIT, `${growth / MIB} MiB`)
    const page = await daemon.metrics()
    if (onOverflow === 'close') assert.match(page, /closed_total\{port="member",reason="overflow"\} 1\n/)
    else assert.match(page, /messages_dropped_total\{port="member"\} [1-9]/)
  })
}
