import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { Client, DaemonProcess } from '../daemon-process.ts'
import { type ParsedFamily, parseMetrics } from '../metrics/text-format.ts'
import { ECHO_WEBSOCKET, HELLO_HTTP } from './handlers.ts'
import { becomes, eventually } from './process-figures.ts'

const SCRAPE_LIMIT_MS = 1000
const NUM_RANDOM_URLS = 10_000
const FILES = {
  'tcp.js': `
import { writeFileSync } from 'node:fs'
import { TcpHandler } from 'polyport'
export default class Who extends TcpHandler {
  onConnect(connection) { connection.send(String(this.daemon.worker.slot)) }
  onReceive(connection, message) {
    if (message.toString() === 'block') {
      writeFileSync(new URL('./blocked', import.meta.url), '')
      for (const end = Date.now() + 3000; Date.now() < end; );
    }
    connection.send(message)
  }
}`,
  'http.js': HELLO_HTTP,
  'ws.js': ECHO_WEBSOCKET,
  'slow-start.js': `
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { HttpHandler } from 'polyport'
const hold = async (file) => { while (existsSync(new URL(file, import.meta.url))) await sleep(20) }
export default class SlowStart extends HttpHandler {
  onStart() { return hold('./no-start') }
  async onRequest(request, response) { await hold('./no-answer'); response.end('done') }
}`,
}
const PORTS = [
  { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js' },
  { name: 'http', protocol: 'http', port: 0, handler: './http.js' },
  { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js' },
]

type Page = Map<string, ParsedFamily>

async function scrape(daemon: DaemonProcess): Promise<Page> {
  return parseMetrics(await daemon.metrics())
}

function value(page: Page, series: string): number {
  return page.get(/^\w+/.exec(series)?.[0] ?? '')?.samples.get(series) ?? Number.NaN
}

/** Every counter that is lower on the second page than on the first. */
function decreases(first: Page, second: Page): string[] {
  const lower: string[] = []
  for (const [name, { type, samples }] of first) {
    if (type === 'gauge') continue
    for (const [series, count] of samples) {
      const now = second.get(name)?.samples.get(series)
      if (now === undefined || now < count) lower.push(`${series}: ${count}, then ${now}`)
    }
  }
  return lower
}

/** Open connections and those that ended, against those that were accepted. */
function balance(page: Page, port: string): { accepted: number; accounted: number } {
  let closed = 0
  for (const [series, count] of page.get('polyport_connections_closed_total')?.samples ?? []) if (series.includes(`port="${port}"`)) closed += count
  return {
    accepted: value(page, `polyport_connections_accepted_total{port="${port}"}`),
    accounted: value(page, `polyport_connections{port="${port}"}`) + closed,
  }
}

/** At least so many, of both workers. */
async function tcpClients(daemon: DaemonProcess, count: number): Promise<{ client: Client; slot: number }[]> {
  const where = await daemon.address('tcp')
  const open = async (): Promise<{ client: Client; slot: number }> => {
    const client = new Client(where)
    return { client, slot: Number(await client.until('\r\n')) }
  }
  const clients = await Promise.all(Array.from({ length: count }, open))
  // The kernel may have given all of them to the one that had its turn.
  while (new Set(clients.map(({ slot }) => slot)).size < 2) clients.push(await open())
  return clients
}

test('counters say what the clients did, and never go back when a worker is killed', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: FILES })
  const clients = await tcpClients(daemon, 40)
  const { length } = clients
  for (const { client } of clients) {
    client.received = Buffer.alloc(0)
    client.write('12345678\r\n'.repeat(25))
  }
  await Promise.all(clients.map(({ client }) => client.until(250)))
  const web = await daemon.address('http')
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  const request = async (method: string): Promise<void> => {
    const [response] = (await once(http.request({ ...web, agent, method }).end(), 'response')) as [http.IncomingMessage]
    await once(response.resume(), 'end')
  }
  await Promise.all([...Array<string>(200).fill('GET'), ...Array<string>(50).fill('POST')].map(request))
  const chat = await daemon.address('ws')
  const socket = new WebSocket(`ws://${chat.host}:${chat.port}`)
  await once(socket, 'open')
  for (let i = 0; i < 100; i++) {
    socket.send('hi')
    await once(socket, 'message')
  }

  const expected: Record<string, number> = {
    'polyport_connections{port="tcp"}': length,
    'polyport_connections_accepted_total{port="tcp"}': length,
    'polyport_messages_received_total{port="tcp"}': 25 * length,
    'polyport_messages_sent_total{port="tcp"}': 26 * length,
    'polyport_bytes_received_total{port="tcp"}': 250 * length,
    'polyport_bytes_sent_total{port="tcp"}': 253 * length,
    'polyport_handler_duration_seconds_count{port="tcp"}': 25 * length,
    'polyport_http_requests_total{port="http",method="GET",status="2xx"}': 200,
    'polyport_http_requests_total{port="http",method="POST",status="2xx"}': 50,
    'polyport_messages_received_total{port="ws"}': 100,
    'polyport_messages_sent_total{port="ws"}': 100,
  }
  const countsOf = (page: Page): Record<string, number> =>
    Object.fromEntries(
      Object.keys(expected).map((series) => [series, page.get((/^\w+/.exec(series)?.[0] ?? '').replace(/_count$/, ''))?.samples.get(series) ?? Number.NaN]),
    )
  let before = await scrape(daemon)
  await becomes(expected, async () => {
    before = await scrape(daemon)
    return countsOf(before)
  })

  for (const slot of [0, 1]) {
    const victim = (await daemon.status()).workers[slot]
    assert.ok(victim)
    process.kill(victim.pid, 'SIGKILL')
    const mine = clients.filter((client) => client.slot === slot)
    await Promise.all(mine.map(({ client }) => client.closed))
    await eventually('another worker is there', async () => {
      const worker = (await daemon.status()).workers[slot]
      return worker?.state === 'ready' && worker.pid !== victim.pid
    })
  }
  assert.deepEqual(decreases(before, await scrape(daemon)), [])
  await becomes({ ...expected, 'polyport_connections{port="tcp"}': 0 }, async () => countsOf(await scrape(daemon)))
  // A scrape that a worker does not answer in time leaves this to the next one.
  await eventually('connections of killed workers have ended too', async () => {
    const { accepted, accounted } = balance(await scrape(daemon), 'tcp')
    return accounted === accepted
  })
  agent.destroy()
  socket.terminate()
})

test('a scrape answers while a worker is blocked, and says that one is missing', async (t) => {
  const daemon = await DaemonProcess.start(t, { workers: 2, ports: PORTS }, { files: FILES })
  const clients = await tcpClients(daemon, 40)
  const before = await scrape(daemon)
  const [blocked] = clients
  assert.ok(blocked)
  const other = clients.find(({ slot }) => slot !== blocked.slot)
  assert.ok(other)
  blocked.client.write('block\r\n')
  await eventually('it is blocked', () => existsSync(join(daemon.dir, 'blocked')))

  const start = performance.now()
  const during = await scrape(daemon)
  const scrapeMs = performance.now() - start
  other.client.write('others are served\r\n')
  await other.client.until('others are served')
  const answeredMs = performance.now() - start

  t.diagnostic(`scraped in ${scrapeMs.toFixed(0)} ms`)
  assert.ok(scrapeMs < SCRAPE_LIMIT_MS, `the scrape took ${scrapeMs} ms`)
  assert.ok(answeredMs < 2000, 'the other worker was served behind the blocked one')
  assert.equal(value(during, 'polyport_scrape_missing_workers'), 1)
  assert.deepEqual(decreases(before, during), [])
  await blocked.client.until('block\r\n')
  await becomes(0, async () => value(await scrape(daemon), 'polyport_scrape_missing_workers'))
  for (const { client } of clients) client.socket.destroy()
})

test('what clients send never adds a series', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: PORTS }, { files: FILES })
  const web = await daemon.address('http')
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'PROPFIND', 'MKCOL', 'LOCK', 'SEARCH', 'QUERY']
  const send = async (numRequests: number): Promise<void> => {
    const client = await Client.open(web)
    let text = ''
    for (let i = 0; i < numRequests; i++) {
      const random = Math.random().toString(36).slice(2)
      text += `${methods[i % methods.length]} /${random}?${random}=${i} HTTP/1.1\r\nHost: ${random}.example\r\nX-${random}: ${random}\r\n\r\n`
    }
    client.write(`${text}GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    await client.closed
  }
  const numSeries = (page: Page): number => [...page.values()].reduce((sum, { samples }) => sum + samples.size, 0)
  await send(methods.length)
  const before = await scrape(daemon)
  for (let i = 0; i < 10; i++) await send(NUM_RANDOM_URLS / 10)
  const after = await scrape(daemon)

  t.diagnostic(`${numSeries(after)} series`)
  assert.equal(value(after, 'polyport_messages_received_total{port="http"}'), NUM_RANDOM_URLS + 10 + methods.length + 1)
  assert.equal(numSeries(after), numSeries(before))
})

test('ready is off before the ports listen, while a worker is missing and while it stops; healthy is always on', async (t) => {
  const port = { name: 'http', protocol: 'http', port: 0, handler: './slow-start.js' }
  const daemon = DaemonProcess.spawn(t, { workers: 2, ports: [port] }, { files: { ...FILES, 'no-start': '', 'no-answer': '' } })
  const answer = async (path: string): Promise<number> => (await daemon.request('GET', path).catch(() => ({ status: 0 }))).status
  const both = async (): Promise<[number, number]> => [await answer('/healthz'), await answer('/readyz')]

  await eventually('the control socket answers', async () => (await answer('/healthz')) === 200)
  assert.deepEqual(await both(), [200, 503])
  rmSync(join(daemon.dir, 'no-start'))
  await daemon.line(/"msg":"Ready"/)
  assert.deepEqual(await both(), [200, 200])

  const victim = (await daemon.status()).workers[1]
  assert.ok(victim)
  writeFileSync(join(daemon.dir, 'no-start'), '')
  process.kill(victim.pid, 'SIGKILL')
  await daemon.line(/Worker died/)
  assert.deepEqual(await both(), [200, 503])
  rmSync(join(daemon.dir, 'no-start'))
  await daemon.line(/"worker":1.*"msg":"Worker ready"/)
  assert.deepEqual(await both(), [200, 200])

  const web = await daemon.address('http')
  const last = once(http.get({ ...web, agent: false }), 'response')
  await eventually('the request has come', async () => /messages_received_total\{port="http"\} 1/.test(await daemon.metrics()))
  daemon.child.kill('SIGTERM')
  await daemon.line(/"msg":"Stopping"/)
  assert.deepEqual(await both(), [200, 503])
  rmSync(join(daemon.dir, 'no-answer'))
  const [response] = (await last) as [http.IncomingMessage]
  assert.equal(response.statusCode, 200)
  response.resume()
  assert.equal(await daemon.exited, 0)
})
