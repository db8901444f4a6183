import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { Client, DaemonProcess } from '../daemon-process.ts'
import { eventually } from '../reliability/process-figures.ts'

const HANDLERS = {
  'publish.js': `
import { TcpHandler } from 'polyport'
export default class Publish extends TcpHandler {
  onReceive(connection, message) {
    if (String(message) === 'how many are behind?') connection.send([...globalThis.members].filter(({ bufferedBytes }) => bufferedBytes > 0).length + ' are')
    else this.daemon.publish('all', message)
  }
}`,
  'member.js': `
import { TcpHandler } from 'polyport'
globalThis.members ??= new Set()
export default class Member extends TcpHandler {
  onConnect(connection) {
    globalThis.members.add(connection)
    connection.join('all')
    connection.send('welcome')
  }
  onReceive() {}
}`,
  'page.js': `
import { WebSocketHandler } from 'polyport'
globalThis.members ??= new Set()
export default class Page extends WebSocketHandler {
  onOpen(connection) {
    globalThis.members.add(connection)
    connection.join('all')
    connection.send('welcome')
  }
  onMessage() {}
}`,
}
// More than the kernel takes for one connection that is not read: 4 MiB and some.
const NUM_PUBLICATIONS = 220
const MAX_BYTES = 60_000
const NUM_TOGETHER = 4
const hasFfi = process.allowedNodeEnvironmentFlags.has('--no-experimental-ffi')

interface Member {
  readonly lines: string[]
  readonly socket: { pause(): unknown; resume(): unknown }
  /** Goes away without a word. */
  break(): void
}

async function tcpMember(t: TestContext, address: { host: string; port: number }): Promise<Member> {
  const socket = net.connect(address)
  t.after(() => socket.destroy())
  const lines: string[] = []
  let rest = ''
  socket.setEncoding('latin1').on('error', () => {})
  socket.on('data', (text: string) => {
    const parts = (rest + text).split('\r\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
  })
  await eventually('the member is welcome', () => lines.length === 1)
  return { lines, socket, break: () => socket.resetAndDestroy() }
}

async function webMember(t: TestContext, { host, port }: { host: string; port: number }): Promise<Member> {
  const socket = new WebSocket(`ws://${host}:${port}/`)
  t.after(() => socket.terminate())
  const lines: string[] = []
  socket.on('message', (message: Buffer) => lines.push(message.toString('latin1')))
  await once(socket, 'message')
  return { lines, socket, break: () => socket.terminate() }
}

for (const { way, env, skip } of [
  { way: 'as this machine can', env: {}, skip: false },
  { way: 'a system call for each', env: { NODE_OPTIONS: '--no-experimental-ffi' }, skip: !hasFfi && 'this Node has no other way' },
]) {
  test(`publish to many, ${way}: each has all of it in order, who is slow, too, and who breaks away costs the others nothing`, { skip }, async (t) => {
    const limits = { sendBuffer: 16 * 1024 * 1024 }
    const ports = [
      { name: 'publish', protocol: 'tcp', port: 0, handler: './publish.js' },
      { name: 'member', protocol: 'tcp', port: 0, handler: './member.js', limits },
      { name: 'page', protocol: 'websocket', port: 0, handler: './page.js', limits },
    ]
    const daemon = await DaemonProcess.start(t, { workers: 1, log: { level: 'debug' }, ports }, { files: HANDLERS, env })
    const [tcp, web] = [await daemon.address('member'), await daemon.address('page')]
    const members = await Promise.all(Array.from({ length: 24 }, (_, i) => (i % 2 === 0 ? tcpMember(t, tcp) : webMember(t, web))))
    const publisher = await Client.open(await daemon.address('publish'))
    t.after(() => publisher.socket.destroy())
    const [slowTcp, slowWeb, brokenTcp, brokenWeb, ...others] = members
    assert.ok(slowTcp && slowWeb && brokenTcp && brokenWeb)
    for (const { socket } of [slowTcp, slowWeb]) socket.pause()
    const published = Array.from({ length: NUM_PUBLICATIONS }, (_, i) => `${i} ${'x'.repeat((i * 7919) % MAX_BYTES)}`)
    const lines = published.map((line) => `${line}\r\n`)
    // They come in one read, and leave in one writev(2) for each member.
    publisher.write(lines.slice(0, NUM_TOGETHER).join(''))
    for (const [i, line] of lines.entries()) {
      if (i >= NUM_TOGETHER) publisher.write(line)
      if (i === 20) for (const member of [brokenTcp, brokenWeb]) member.break()
      // One at a time, so that each leaves alone; the last as fast as they come.
      if (i < 200) await eventually('all others have it', () => others.every(({ lines }) => lines.length >= i + 2))
      if (i !== 199) continue
      publisher.write('how many are behind?\r\n')
      assert.match(await publisher.until('are'), /^2 are/)
      // What has not left of the slow ones' goes with them to another worker.
      assert.equal((await daemon.request('POST', '/api/reload')).status, 200)
      for (const { socket } of [slowTcp, slowWeb]) socket.resume()
    }
    const all = [slowTcp, slowWeb, ...others]
    await eventually('everybody has all of it', () => all.every(({ lines }) => lines.length === NUM_PUBLICATIONS + 1))

    for (const { lines } of all) assert.deepEqual(lines, ['welcome', ...published])
    await checkBytesOut(daemon, published)
    const isForbidden = !hasFfi || 'NODE_OPTIONS' in env
    const told = daemon.lines.find((line) => line.includes('io_uring')) ?? ''
    if (isForbidden) assert.match(told, /in a system call for each \(no io_uring\)/)
    else t.diagnostic(told)
    assert.ok(!daemon.lines.some((line) => line.includes('ExperimentalWarning')))
  })
}

/** What left by another way than the socket's stream is counted, too. */
async function checkBytesOut(daemon: DaemonProcess, published: readonly string[]): Promise<void> {
  const page = await daemon.metrics()
  const bytesOut = Number(/polyport_bytes_sent_total\{port="member"\} (\d+)/.exec(page)?.[1])
  const each = published.reduce((sum, line) => sum + line.length + 2, 'welcome\r\n'.length)
  // One of the twelve has broken away on its way.
  assert.ok(bytesOut >= 11 * each && bytesOut < 12 * each, `${bytesOut} bytes to 11 to 12 members, ${each} each`)
}
