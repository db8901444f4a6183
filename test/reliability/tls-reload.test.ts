import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import http2 from 'node:http2'
import https from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { makeCertificate } from '../certificates.ts'
import { Client, childrenOf, DaemonProcess } from '../daemon-process.ts'
import { authority, HANDLERS, serverCertificate, TlsClient } from '../tls-daemon.ts'
import { eventually } from './process-figures.ts'

const TLS = { cert: './cert.pem', key: './key.pem' }
const PORTS = [
  { name: 'tcp', protocol: 'tcp', port: 0, handler: './tcp.js', tls: TLS },
  { name: 'ws', protocol: 'websocket', port: 0, handler: './ws.js', tls: TLS },
  { name: 'web', protocol: 'http', port: 0, handler: './http.js', tls: TLS },
]
const FILES = { ...HANDLERS, 'cert.pem': serverCertificate.cert, 'key.pem': serverCertificate.key }
const NUM_EACH = 8
// A busy machine needs a second or two for what is asked between the reload and the limit.
const MAX_WAIT_MS = 5000
const SPREAD_MS = 1500
// What the daemon may be late by on a busy machine.
const LATE_MS = 1000

function renewed(daemon: DaemonProcess, name = 'localhost'): string {
  const { cert, key } = makeCertificate({ name, names: ['localhost', '127.0.0.1'], issuer: authority })
  writeFileSync(join(daemon.dir, 'cert.pem'), cert)
  writeFileSync(join(daemon.dir, 'key.pem'), key)
  return cert
}

async function reload(daemon: DaemonProcess): Promise<void> {
  const { status, body } = await daemon.request('POST', '/api/reload')
  assert.equal(status, 200, body)
}

/** The common name of the certificate that a new client is shown. */
async function shown(t: TestContext, daemon: DaemonProcess, name: string): Promise<unknown> {
  const client = await TlsClient.open(t, { port: (await daemon.address(name)).port })
  const { subject } = client.socket.getPeerCertificate()
  client.socket.destroy()
  return subject.CN
}

interface Gone {
  readonly kind: string
  readonly after: number
  readonly how: string
}

/** A client of the http port that asks one thing after the other. It notes whom it was answered by, and how its first connection ended. */
class Asker {
  readonly agent: https.Agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
  readonly pids: number[] = []
  readonly failures: Error[] = []
  lastOfConnection = 0
  isStopping = false

  async run(port: number): Promise<void> {
    while (!this.isStopping) {
      try {
        const { pid, isLast } = await this.#ask(port)
        this.pids.push(pid)
        if (isLast && this.lastOfConnection === 0) this.lastOfConnection = performance.now()
      } catch (error) {
        this.failures.push(error as Error)
      }
    }
    this.agent.destroy()
  }

  #ask(port: number): Promise<{ pid: number; isLast: boolean }> {
    return new Promise((resolve, reject) => {
      const request = https.get({ host: '127.0.0.1', port, servername: 'localhost', ca: authority.cert, agent: this.agent }, async (response) => {
        let text = ''
        for await (const chunk of response) text += chunk
        resolve({ pid: JSON.parse(text).pid, isLast: response.headers.connection === 'close' })
      })
      request.on('error', reject)
    })
  }
}

test('TLS connections over a reload: served until the limit, told at it, spread; new ones get the new certificate at once', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: PORTS, maxWaitSeconds: MAX_WAIT_MS / 1000, spreadSeconds: SPREAD_MS / 1000 }, { files: FILES })
  const [old = 0] = childrenOf(daemon.pid)
  const ports = { tcp: (await daemon.address('tcp')).port, ws: (await daemon.address('ws')).port, web: (await daemon.address('web')).port }
  const gone: Gone[] = []
  let start = 0
  const note = (kind: string, how: string): void => void gone.push({ kind, how, after: performance.now() - start })

  const tcp = await Promise.all(Array.from({ length: NUM_EACH }, () => TlsClient.open(t, { port: ports.tcp })))
  const idle = await Promise.all(Array.from({ length: NUM_EACH }, () => TlsClient.open(t, { port: ports.web })))
  const webSockets = Array.from({ length: NUM_EACH }, () => new WebSocket(`wss://127.0.0.1:${ports.ws}/`, { ca: authority.cert }))
  await Promise.all(webSockets.map((webSocket) => once(webSocket, 'open')))
  for (const client of idle) {
    client.socket.write('GET /1 HTTP/1.1\r\nHost: x\r\n\r\n')
    await client.until('"path":"/1"')
  }
  const asker = new Asker()
  const asking = asker.run(ports.web)
  const ends = [
    ...tcp.map((client) => client.closed.then((error) => note('tcp', error?.message ?? (client.hasEnded ? 'told' : 'cut')))),
    ...idle.map((client) => client.closed.then((error) => note('http', error?.message ?? (client.hasEnded ? 'told' : 'cut')))),
    ...webSockets.map((webSocket) => new Promise<void>((resolve) => webSocket.on('close', (code) => resolve(note('ws', String(code)))))),
  ]
  await eventually('the asker is served', () => asker.pids.length > 5)

  renewed(daemon, 'renewed')
  start = performance.now()
  await reload(daemon)
  const took = performance.now() - start
  // At once, and every port.
  for (const { name } of PORTS) assert.equal(await shown(t, daemon, name), 'renewed')
  for (const client of tcp) assert.equal(await client.ask('pid'), String(old))
  for (const webSocket of webSockets) {
    webSocket.send('pid')
    assert.equal(String((await once(webSocket, 'message'))[0]), String(old))
  }
  for (const client of idle) {
    client.socket.write('GET /2 HTTP/1.1\r\nHost: x\r\n\r\n')
    await client.until('"path":"/2"')
  }
  assert.ok(performance.now() - start < MAX_WAIT_MS - SPREAD_MS, 'this machine is too slow for this test')
  assert.deepEqual(gone, [])
  await Promise.all(ends)
  await eventually('the old worker is gone', () => !childrenOf(daemon.pid).includes(old))
  await eventually('the asker is with the new worker', () => asker.pids.at(-1) !== old)
  asker.isStopping = true
  await asking

  const times = gone.map(({ after }) => after)
  t.diagnostic(`reload ${took.toFixed(0)} ms; ended between ${Math.min(...times).toFixed(0)} and ${Math.max(...times).toFixed(0)} ms`)
  assert.deepEqual(new Set(gone.map(({ kind, how }) => `${kind} ${how}`)), new Set(['tcp told', 'http told', 'ws 1012']))
  assert.ok(Math.min(...times) >= MAX_WAIT_MS - SPREAD_MS - 50, 'none was cut before the limit')
  assert.ok(Math.max(...times) <= took + MAX_WAIT_MS + LATE_MS, 'all were gone at the limit')
  assert.ok(Math.max(...times) - Math.min(...times) > SPREAD_MS / 4, 'they were closed all at once')
  assert.deepEqual(asker.failures, [])
  assert.ok(asker.lastOfConnection - start >= MAX_WAIT_MS - SPREAD_MS - 50, 'the asker was told (Connection: close) at the limit')
  const reasons = daemon.lines.filter((line) => line.includes('"msg":"onClose')).map((line) => JSON.parse(line).reason)
  assert.deepEqual(new Set(reasons.slice(0, NUM_EACH * 2)), new Set(['shutdown']))
})

test('a request that takes long is answered after its time to be closed has come', async (t) => {
  const web = { ...PORTS[2], options: { slowMs: 1200 } }
  const daemon = await DaemonProcess.start(t, { ports: [web], maxWaitSeconds: 2, spreadSeconds: 2 }, { files: FILES })
  const clients = await Promise.all(Array.from({ length: 6 }, async () => TlsClient.open(t, { port: (await daemon.address('web')).port })))
  for (const client of clients) client.socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
  await reload(daemon)

  for (const client of clients) {
    assert.match(await client.until('"path":"/slow"'), /^HTTP\/1\.1 200 OK\r\n(?:.*\r\n)*Connection: close\r\n/)
    assert.equal(await client.closed, undefined)
    assert.ok(client.hasEnded)
  }
})

test('HTTP/2 over a reload: GOAWAY within the spread, what is under way is answered, and the next connection is of the new worker', async (t) => {
  const web = { ...PORTS[2], http2: true, options: { slowMs: 1500 } }
  const daemon = await DaemonProcess.start(t, { ports: [web], maxWaitSeconds: 2, spreadSeconds: 1 }, { files: FILES })
  const { port } = await daemon.address('web')
  const open = (): http2.ClientHttp2Session => {
    const session = http2.connect(`https://127.0.0.1:${port}`, { ca: authority.cert, servername: 'localhost' })
    t.after(() => session.destroy())
    return session
  }
  const ask = async (session: http2.ClientHttp2Session, path: string): Promise<{ pid: number }> => {
    const stream = session.request({ ':path': path })
    let text = ''
    stream.on('data', (chunk) => (text += chunk))
    await once(stream, 'end')
    return JSON.parse(text)
  }
  const [old] = childrenOf(daemon.pid)
  const session = open()
  assert.equal((await ask(session, '/')).pid, old)
  const goaway = once(session, 'goaway')
  const start = performance.now()
  await reload(daemon)
  const reloaded = performance.now()
  // Before GOAWAY the connection is served as ever.
  assert.equal((await ask(session, '/')).pid, old)
  const slow = ask(session, '/slow')
  const [code] = await goaway
  const [after, behind] = [performance.now() - start, performance.now() - reloaded]

  assert.equal(code, http2.constants.NGHTTP2_NO_ERROR)
  assert.ok(after >= 950 && behind < 2500, `${after} ms after the reload began, ${behind} ms after it was done`)
  assert.equal((await slow).pid, old)
  const next = open()
  assert.notEqual((await ask(next, '/')).pid, old)
  // Before the daemon is killed: a session that is open then may hear of a reset.
  next.destroy()
  await eventually('the old worker is gone', () => !childrenOf(daemon.pid).includes(old ?? 0))
})

test('a reload with a broken certificate fails, and the old one goes on', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: PORTS }, { files: FILES })
  const client = await TlsClient.open(t, { port: (await daemon.address('tcp')).port })
  const pid = await client.ask('pid')
  const before = readFileSync(join(daemon.dir, 'key.pem'), 'utf8')
  writeFileSync(join(daemon.dir, 'key.pem'), makeCertificate({ name: 'other' }).key)
  const { status, body } = await daemon.request('POST', '/api/reload')

  assert.equal(status, 422)
  assert.match(body, /ports\[0\]\.tls\.key: the key in .*key\.pem does not belong to the certificate in .*cert\.pem/)
  assert.doesNotMatch(body, /BEGIN|MIG/)
  assert.equal(await client.ask('pid'), pid)
  assert.equal(await shown(t, daemon, 'tcp'), 'localhost')
  assert.match(await daemon.metrics(), /polyport_reloads_total\{result="failed"\} 1\n/)
  writeFileSync(join(daemon.dir, 'key.pem'), before)
  renewed(daemon, 'renewed')
  await reload(daemon)
  assert.equal(await shown(t, daemon, 'tcp'), 'renewed')
})

test('a worker that dies comes back with the certificates of the last reload, whatever is in the files', async (t) => {
  const daemon = await DaemonProcess.start(t, { ports: PORTS }, { files: FILES })
  for (const name of ['cert.pem', 'key.pem']) writeFileSync(join(daemon.dir, name), 'gone')
  const [worker = 0] = childrenOf(daemon.pid)
  process.kill(worker, 'SIGKILL')
  await daemon.line(/Worker ready/)

  assert.equal(await shown(t, daemon, 'tcp'), 'localhost')
})

test('plain connections of a port that speaks TLS from now on stay where they are', async (t) => {
  const plain = { ...PORTS[0], tls: undefined }
  const daemon = await DaemonProcess.start(t, { ports: [plain], maxWaitSeconds: 2, spreadSeconds: 1 }, { files: FILES })
  const { port } = await daemon.address('tcp')
  const client = await Client.open({ host: '127.0.0.1', port })
  t.after(() => client.socket.destroy())
  const config = join(daemon.dir, 'config.json')
  writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), ports: PORTS.slice(0, 1) }))
  await reload(daemon)

  client.write('still plain\r\n')
  await client.until('still plain\r\n')
  assert.equal(await shown(t, daemon, 'tcp'), 'localhost')
  await client.closed
})

test('a certificate that expires soon is warned of at start and reload, and every one is in the metrics', async (t) => {
  const soon = makeCertificate({ name: 'soon.example', to: 13.5 })
  const sni = { 'soon.example': { cert: './soon.pem', key: './soon.key' } }
  const [tcp] = PORTS
  const daemon = await DaemonProcess.start(
    t,
    { ports: [{ ...tcp, tls: { ...TLS, sni } }] },
    { files: { ...FILES, 'soon.pem': soon.cert, 'soon.key': soon.key } },
  )
  const warnings = (): Record<string, unknown>[] => daemon.lines.filter((line) => line.includes('A certificate expires soon')).map((line) => JSON.parse(line))

  assert.deepEqual(
    warnings().map(({ level, port, certificate, days }) => [level, port, certificate, days]),
    [['warn', 'tcp', 'soon.example', 13]],
  )
  const page = await daemon.metrics()
  const seconds = (name: string): number =>
    Number(new RegExp(`polyport_tls_certificate_expiry_seconds\\{port="tcp",certificate="${name}"\\} (\\d+)`).exec(page)?.[1])
  assert.ok(Math.abs(seconds('soon.example') - 13.5 * 86_400) < 60, `${seconds('soon.example')}`)
  assert.ok(Math.abs(seconds('default') - 365 * 86_400) < 60)
  await reload(daemon)
  assert.equal(warnings().length, 2)
  const everything = daemon.lines.join('\n') + page + JSON.stringify(await daemon.status())
  for (const line of soon.key.split('\n').slice(1, -2)) assert.ok(!everything.includes(line), 'a key is nowhere to be seen')
})
