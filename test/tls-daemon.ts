import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import tls from 'node:tls'
import { createDaemon, type Daemon } from 'polyport'
import { makeCertificate, type TestCertificate } from './certificates.ts'

// Inside the repository, so that handlers find the package by its own name.
const FOLDER = join(import.meta.dirname, '.tmp')

export const authority: TestCertificate = makeCertificate({ name: 'Test CA', isAuthority: true })
export const serverCertificate: TestCertificate = makeCertificate({ name: 'localhost', names: ['localhost', '127.0.0.1'], issuer: authority })

export const HANDLERS: Readonly<Record<string, string>> = {
  'tcp.js': `
import { TcpHandler } from 'polyport'
export default class Tcp extends TcpHandler {
  onConnect(connection) { this.options.greets && connection.send('hello') }
  onReceive(connection, message) {
    const text = message.toString()
    if (text === 'tls') connection.send(JSON.stringify(connection.tls))
    else if (text === 'big') connection.send('x'.repeat(3_000_000))
    else if (text === 'pid') connection.send(String(process.pid))
    else if (text === 'bye') connection.close('good bye')
    else connection.send(message)
  }
  onClose(connection, reason) { this.log.info({ reason, name: connection.tls?.servername }, 'onClose') }
}`,
  'raw.js': `
import { StreamHandler } from 'polyport'
export default class Raw extends StreamHandler {
  onStream(stream, info) { stream.on('error', () => {}); stream.write(JSON.stringify(info.tls) + '\\n'); stream.pipe(stream) }
}`,
  'http.js': `
import { HttpHandler } from 'polyport'
export default class Http extends HttpHandler {
  async onRequest(request, response) {
    if (request.url === '/slow') await new Promise((resolve) => setTimeout(resolve, this.options.slowMs ?? 1000))
    if (request.url === '/throw') throw new Error('on purpose')
    let body = ''
    for await (const chunk of request) body += chunk
    const { encrypted, authorized, servername } = request.socket
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify({ version: request.httpVersion, pid: process.pid, encrypted, authorized, servername, body, address: request.socket.remoteAddress, path: request.url, method: request.method }))
  }
}`,
  'ws.js': `
import { WebSocketHandler } from 'polyport'
export default class Ws extends WebSocketHandler {
  onUpgrade(request) { return { data: { encrypted: request.socket.encrypted } } }
  onMessage(connection, message) { connection.send(message === 'tls' ? JSON.stringify(connection.tls) : message === 'pid' ? String(process.pid) : message) }
  onClose(connection, reason) { this.log.info({ reason }, 'onClose ws') }
}`,
}

/** A folder with these files and the handlers, for the time of a test. */
export function tlsFolder(t: TestContext, files: Readonly<Record<string, string>> = {}): string {
  mkdirSync(FOLDER, { recursive: true })
  const dir = mkdtempSync(join(FOLDER, 'tls-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const all = { 'cert.pem': serverCertificate.cert, 'key.pem': serverCertificate.key, 'ca.pem': authority.cert, ...HANDLERS, ...files }
  for (const [name, text] of Object.entries(all)) writeFileSync(join(dir, name), text)
  return dir
}

/** A daemon in this process whose ports speak TLS. Each port is given what is not said: its protocol's handler, a certificate. */
export async function startTls(t: TestContext, ports: readonly Record<string, unknown>[], files: Readonly<Record<string, string>> = {}): Promise<TlsDaemon> {
  const dir = tlsFolder(t, files)
  const config = {
    log: { level: 'silent' },
    maxWaitSeconds: 2,
    ports: ports.map((port) => ({
      port: 0,
      handler: `./${handlerOf(String(port['protocol']))}.js`,
      ...port,
      tls: { cert: './cert.pem', key: './key.pem', ...(port['tls'] as object) },
    })),
  }
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config))
  const daemon = await createDaemon(join(dir, 'config.json'))
  t.after(() => daemon.stop())
  return new TlsDaemon(daemon)
}

function handlerOf(protocol: string): string {
  return { stream: 'raw', websocket: 'ws' }[protocol] ?? protocol
}

export class TlsDaemon {
  readonly daemon: Daemon

  constructor(daemon: Daemon) {
    this.daemon = daemon
  }

  port(name: string): number {
    const address = this.daemon.ports.find((port) => port.name === name)?.address
    assert.ok(address, `there is a port ${name}`)
    return Number(address.split(':').at(-1))
  }

  /** What the port has counted. */
  counted(name: string): { refused: Record<string, number>; closed: Record<string, number>; accepted: number; bytesIn: number; bytesOut: number } {
    const port = this.daemon.ports.find((each) => each.name === name)
    return (port as unknown as { report(): never }).report()
  }
}

/** A TLS client that is waited on by what it has received. */
export class TlsClient {
  readonly socket: tls.TLSSocket
  received = Buffer.alloc(0)
  /** Resolves with the error that ended it, if one did. */
  readonly closed: Promise<Error | undefined>
  hasEnded = false
  #isClosed = false
  #waiters: (() => void)[] = []

  constructor(options: tls.ConnectionOptions) {
    this.socket = tls.connect({ host: '127.0.0.1', servername: 'localhost', ca: authority.cert, ...options })
    let failure: Error | undefined
    this.socket.on('error', (error) => (failure = error))
    this.socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk])
      this.#wake()
    })
    this.socket.on('end', () => (this.hasEnded = true))
    this.closed = new Promise((resolve) => this.socket.on('close', () => resolve(failure)))
    void this.closed.then(() => {
      this.#isClosed = true
      this.#wake()
    })
  }

  static async open(t: TestContext, options: tls.ConnectionOptions): Promise<TlsClient> {
    const client = new TlsClient(options)
    t.after(() => client.socket.destroy())
    await Promise.race([once(client.socket, 'secureConnect'), client.closed.then((error) => assert.fail(error ?? 'closed'))])
    return client
  }

  get text(): string {
    return this.received.toString('latin1')
  }

  /** Resolves with all that has come once it holds this text; fails when the connection closes before. */
  async until(text: string): Promise<string> {
    while (!this.text.includes(text)) {
      assert.ok(!this.#isClosed, `the connection closed before ${JSON.stringify(text)} came; there was ${JSON.stringify(this.text.slice(-200))}`)
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
    return this.text
  }

  /** Sends a line and resolves with the next one that comes. */
  async ask(line: string): Promise<string> {
    const before = this.received.length
    this.socket.write(`${line}\r\n`)
    for (;;) {
      const answer = this.received.subarray(before).toString('latin1')
      if (answer.includes('\r\n')) return answer.split('\r\n', 1)[0] ?? ''
      assert.ok(!this.#isClosed, `the connection closed before there was an answer to ${line}`)
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
  }

  #wake(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const resolve of waiters) resolve()
  }
}
