import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { Client, DaemonProcess } from '../daemon-process.ts'
import { FILES } from '../e2e/admission-handlers.ts'
import { becomes } from './process-figures.ts'

const REFUSED = 'polyport_connections_refused_total'
const CLOSED = 'polyport_connections_closed_total'
const FLOODING = `
import { TcpHandler } from 'polyport'
export default class Flooding extends TcpHandler {
  onConnect(connection) { for (let i = 0; i < 100 && connection.send(Buffer.alloc(1_000_000)); i++); }
  onReceive() {}
}`
const PORTS = [
  { name: 'full', protocol: 'tcp', port: 0, handler: './tcp.js', limits: { maxConnections: 10 } },
  { name: 'one-each', protocol: 'http', port: 0, handler: './http.js', limits: { maxConnectionsPerIp: 5 } },
  { name: 'seldom', protocol: 'websocket', port: 0, handler: './ws.js', limits: { connectionsPerSecondPerIp: 3 } },
  { name: 'closed', protocol: 'http', port: 0, handler: './http.js', deny: ['127.0.0.0/8'] },
  { name: 'shut', protocol: 'stream', port: 0, handler: './stream.js', deny: ['127.0.0.0/8'] },
  { name: 'proxied', protocol: 'tcp', port: 0, handler: './tcp.js', proxyProtocol: ['127.0.0.1'] },
  { name: 'short', protocol: 'tcp', port: 0, handler: './tcp.js', framing: { type: 'eof', maxLength: 100 } },
  { name: 'flooding', protocol: 'tcp', port: 0, handler: './flooding.js' },
  { name: 'paced', protocol: 'tcp', port: 0, handler: './tcp.js', limits: { messagesPerSecond: 1 } },
]

/** Connects so many times at once, says `text`, and tells how many were cut off without an answer. */
async function cutOff(t: TestContext, daemon: DaemonProcess, name: string, { count, text = '' }: { count: number; text?: string }): Promise<number> {
  const where = await daemon.address(name)
  const clients = Array.from({ length: count }, () => new Client(where))
  t.after(() => clients.forEach(({ socket }) => void socket.destroy()))
  for (const client of clients) client.write(text)
  const isCut = await Promise.all(
    clients.map((client) => Promise.race([client.until('\r\n').then(() => false), client.closed.then(() => true)]).catch(() => true)),
  )
  return isCut.filter(Boolean).length
}

/** How many clients saw their connection end after they had been let in, greeted and heard, where there is a text. */
async function ended(daemon: DaemonProcess, name: string, { count, text }: { count: number; text?: string }): Promise<number> {
  const where = await daemon.address(name)
  return (
    await Promise.all(
      Array.from({ length: count }, async () => {
        const client = await Client.open(where)
        if (text !== undefined) {
          await client.until('\r\n')
          client.write(text)
        }
        await client.closed
      }),
    )
  ).length
}

/** Requests on connections that stay open: how many had each status. */
async function statuses(t: TestContext, daemon: DaemonProcess, name: string, count: number): Promise<Record<number, number>> {
  const where = await daemon.address(name)
  const agent = new http.Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const found: Record<number, number> = {}
  const responses = await Promise.all(Array.from({ length: count }, () => once(http.get({ ...where, agent }), 'response')))
  for (const [response] of responses as [http.IncomingMessage][]) {
    response.resume()
    found[response.statusCode ?? 0] = (found[response.statusCode ?? 0] ?? 0) + 1
  }
  return found
}

async function refusedUpgrades(t: TestContext, daemon: DaemonProcess, count: number): Promise<number> {
  const { host, port } = await daemon.address('seldom')
  const answers = await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = new WebSocket(`ws://${host}:${port}/`)
      socket.on('error', () => {})
      t.after(() => socket.terminate())
      return Promise.race([once(socket, 'open').then(() => 101), once(socket, 'unexpected-response').then(([, response]) => response.statusCode as number)])
    }),
  )
  assert.deepEqual([...new Set(answers)].sort(), [101, 429])
  return answers.filter((status) => status === 429).length
}

/** A counter of the page by port and reason, what is 0 left out. */
function counted(page: string, name: string): Record<string, number> {
  const found: Record<string, number> = {}
  for (const [, port, reason, value] of page.matchAll(new RegExp(`^${name}\\{port="([\\w-]+)",reason="(\\w+)"\\} (\\d+)$`, 'gm'))) {
    if (Number(value) > 0) found[`${port} ${reason}`] = Number(value)
  }
  return found
}

test('every client that is refused or cut off is counted with its reason, once: clients and metrics agree', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: { ...FILES, 'flooding.js': FLOODING } })
  const oneEach = await statuses(t, daemon, 'one-each', 20)
  const closed = await statuses(t, daemon, 'closed', 15)
  const seen: Record<string, number> = {
    'full max_connections': await cutOff(t, daemon, 'full', { count: 40 }),
    'one-each max_connections_per_ip': oneEach[503] ?? 0,
    'seldom rate': await refusedUpgrades(t, daemon, 15),
    'closed denied': closed[403] ?? 0,
    'shut denied': await cutOff(t, daemon, 'shut', { count: 12 }),
    'proxied proxy_header': await cutOff(t, daemon, 'proxied', { count: 7, text: 'hello\r\n' }),
  }

  assert.deepEqual([seen['full max_connections'], oneEach[200], closed[200], seen['shut denied'], seen['proxied proxy_header']], [30, 5, undefined, 12, 7])
  const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((total, count) => total + count, 0)
  await becomes(seen, async () => counted(await daemon.metrics(), REFUSED))
  t.diagnostic(`${sum(seen)} refusals seen and counted`)

  const cut = {
    'short frame_too_long': await ended(daemon, 'short', { count: 6, text: 'x'.repeat(200) }),
    'paced rate': await ended(daemon, 'paced', { count: 4, text: 'x\r\n'.repeat(500) }),
    'flooding overflow': await ended(daemon, 'flooding', { count: 3 }),
  }
  await becomes(cut, async () => {
    const page = counted(await daemon.metrics(), CLOSED)
    return Object.fromEntries(Object.keys(cut).map((key) => [key, page[key]]))
  })
  await becomes(seen, async () => counted(await daemon.metrics(), REFUSED))
})
