import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import type { DaemonStatus } from '../src/admin/status.ts'
import { sharedMemoryDir } from '../src/shared/memory-folder.ts'

// Inside the repository, so that handlers find the package by its own name.
const ROOT = new URL('..', import.meta.url).pathname
const FOLDER = join(ROOT, 'test', '.tmp')

export interface DaemonOptions {
  readonly files?: Record<string, string>
  readonly args?: readonly string[]
  readonly env?: Record<string, string>
  /** Called with the daemon's folder before it starts. */
  readonly prepare?: (dir: string) => void
  /** Run as this user. */
  readonly uid?: number
  /** At most so many open files in each of its processes. */
  readonly maxDescriptors?: number
}

/** A daemon as users run it: `polyport start` in a process of its own, in a folder of its own. Stopped when the test ends. */
export class DaemonProcess {
  readonly dir: string
  readonly child: ChildProcess
  /** Every line of stdout and stderr so far. */
  readonly lines: string[] = []
  #waiters: { pattern: RegExp; resolve: (line: string) => void }[] = []
  #exit: Promise<number | null>

  private constructor(dir: string, options: DaemonOptions) {
    this.dir = dir
    const bin = join(ROOT, 'dist', 'bin.js')
    const command = [process.execPath, bin, 'start', '-c', join(dir, 'config.json'), ...(options.args ?? [])]
    const limit = options.maxDescriptors === undefined ? '' : `ulimit -n ${options.maxDescriptors}; `
    this.child = spawn('/bin/sh', ['-c', `${limit}exec "$0" "$@"`, ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(options.uid !== undefined && { uid: options.uid }),
    })
    this.#exit = once(this.child, 'exit').then(([code]) => code as number | null)
    for (const stream of [this.child.stdout, this.child.stderr]) {
      assert.ok(stream)
      createInterface({ input: stream }).on('line', (line) => this.#line(line))
    }
  }

  /**
   * Writes the config and the handler files (by name, `polyport` to be imported as users do) and starts. The `runtimeDir` is
   * in the same folder.
   */
  static async start(t: TestContext, config: object, options: DaemonOptions = {}): Promise<DaemonProcess> {
    const daemon = DaemonProcess.spawn(t, config, options)
    const failed = daemon.exited.then((code) => {
      throw new Error(`The daemon ended with ${code}:\n${daemon.lines.join('\n')}`)
    })
    await Promise.race([daemon.line(/"msg":"Ready"/), failed])
    failed.catch(() => {})
    return daemon
  }

  /** The same without waiting for it to be ready. */
  static spawn(t: TestContext, config: object, options: DaemonOptions = {}): DaemonProcess {
    mkdirSync(FOLDER, { recursive: true })
    const dir = mkdtempSync(join(FOLDER, 'd-'))
    for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(dir, name), text)
    writeFileSync(join(dir, 'config.json'), JSON.stringify({ runtimeDir: './run', ...config }))
    if (options.uid !== undefined) chmodSync(dir, 0o777)
    options.prepare?.(dir)
    const daemon = new DaemonProcess(dir, options)
    t.after(async () => {
      const { exitCode, signalCode } = daemon.child
      // Why it has died by itself explains what fails in the test.
      if (signalCode === 'SIGABRT' || signalCode === 'SIGSEGV' || signalCode === 'SIGBUS') t.diagnostic(`${signalCode}:\n${daemon.lines.slice(-20).join('\n')}`)
      if (exitCode === null && signalCode === null) daemon.#kill()
      await daemon.exited
      // Who is killed may be about to write one more file.
      rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
      // What a daemon that was killed leaves behind; its next start would take it away.
      rmSync(sharedMemoryDir(join(dir, 'run')), { recursive: true, force: true })
    })
    return daemon
  }

  /** Starts once more in the folder of one that has ended. */
  static async again(t: TestContext, dir: string): Promise<DaemonProcess> {
    const daemon = new DaemonProcess(dir, {})
    t.after(() => {
      if (daemon.child.exitCode === null && daemon.child.signalCode === null) daemon.#kill()
      return daemon.exited
    })
    await Promise.race([daemon.line(/"msg":"Ready"/), daemon.exited.then((code) => assert.fail(`The daemon ended with ${code}:\n${daemon.lines.join('\n')}`))])
    return daemon
  }

  get pid(): number {
    assert.ok(this.child.pid)
    return this.child.pid
  }

  /** The exit code, null after a signal. */
  get exited(): Promise<number | null> {
    return this.#exit
  }

  /** The first line, past or to come, that matches. */
  line(pattern: RegExp): Promise<string> {
    const past = this.lines.find((line) => pattern.test(line))
    if (past !== undefined) return Promise.resolve(past)
    return new Promise((resolve) => this.#waiters.push({ pattern, resolve }))
  }

  /** Asks the control socket. */
  request(method: string, path: string): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      // On a connection of its own: one that was kept may be closed just now.
      const request = http.request({ socketPath: join(this.dir, 'run', 'polyport.sock'), method, path, agent: false }, async (response) => {
        let body = ''
        for await (const chunk of response) body += chunk
        resolve({ status: response.statusCode ?? 0, body })
      })
      request.on('error', reject)
      request.end()
    })
  }

  async status(): Promise<DaemonStatus> {
    return JSON.parse((await this.request('GET', '/api/status')).body) as DaemonStatus
  }

  async metrics(): Promise<string> {
    return (await this.request('GET', '/metrics')).body
  }

  /** Host and port of a port, by its name. */
  async address(name: string): Promise<{ host: string; port: number }> {
    const address = (await this.status()).ports.find((port) => port.name === name)?.address
    assert.ok(address, `there is a port ${name}`)
    const colon = address.lastIndexOf(':')
    return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) }
  }

  /** Stops in good order and returns the exit code. */
  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM')
    return this.exited
  }

  /** Its workers, too, who would go on in its folder until they notice. */
  #kill(): void {
    const all = [this.pid, ...childrenOf(this.pid)]
    all.forEach(kill)
  }

  #line(line: string): void {
    this.lines.push(line)
    const met = this.#waiters.filter(({ pattern }) => pattern.test(line))
    this.#waiters = this.#waiters.filter((waiter) => !met.includes(waiter))
    for (const { resolve } of met) resolve(line)
  }
}

/** A TCP client that is waited on by what it has received. */
export class Client {
  readonly socket: net.Socket
  received = Buffer.alloc(0)
  readonly closed: Promise<void>
  #waiters: { done: () => boolean; resolve: () => void }[] = []
  #isClosed = false

  constructor(where: { host: string; port: number; localAddress?: string } | { path: string }) {
    this.socket = net.connect(where)
    this.socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk])
      this.#check()
    })
    this.socket.on('error', () => {})
    // Not once(): that rejects when the connection is reset.
    this.closed = new Promise((resolve) => this.socket.on('close', () => resolve()))
    void this.closed.then(() => {
      this.#isClosed = true
      this.#check()
    })
  }

  static async open(where: { host: string; port: number; localAddress?: string } | { path: string }): Promise<Client> {
    const client = new Client(where)
    await once(client.socket, 'connect')
    return client
  }

  get text(): string {
    return this.received.toString('latin1')
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes)
  }

  /** Resolves when at least this many bytes, or this text, has arrived; throws when the connection closes before. */
  async until(what: number | string): Promise<string> {
    const isThere = (): boolean => (typeof what === 'number' ? this.received.length >= what : this.text.includes(what))
    await new Promise<void>((resolve) => {
      this.#waiters.push({ done: () => isThere() || this.#isClosed, resolve })
      this.#check()
    })
    assert.ok(isThere(), `the connection closed before ${JSON.stringify(what)} came; there was ${JSON.stringify(this.text)}`)
    return this.text
  }

  #check(): void {
    const done = this.#waiters.filter((waiter) => waiter.done())
    this.#waiters = this.#waiters.filter((waiter) => !done.includes(waiter))
    for (const { resolve } of done) resolve()
  }
}

export function closeAll(clients: readonly Client[]): void {
  for (const { socket } of clients) socket.destroy()
}

/**
 * Not so a process that has ended and waits for its parent to notice, which may take a while when that is the first of the machine. One whose first
 * thread has ended and others not is such a zombie, too, and still has all its sockets.
 */
export function isRunning(pid: number | undefined): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // The state and the number of threads: proc(5).
    return !/[ZX]/.test(fields[0] ?? '') || Number(fields[17]) > 1
  } catch {
    return false
  }
}

/** Kills a process if it is still there. */
export function kill(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}

/** The processes whose parent is `pid`. */
export function childrenOf(pid: number): number[] {
  const path = `/proc/${pid}/task/${pid}/children`
  return readFileSync(path, 'utf8').trim().split(' ').filter(Boolean).map(Number)
}
