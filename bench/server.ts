import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
/** The server has one core, the generator the other. */
const SERVER_CORE = '0'

/** A server under measurement: ours, or a peer. */
export class Server {
  readonly port: number
  readonly child: ChildProcess
  readonly #dir: string | undefined

  private constructor(port: number, child: ChildProcess, dir?: string) {
    this.port = port
    this.child = child
    this.#dir = dir
  }

  /** A program of bench/peers. */
  static async peer(name: string): Promise<Server> {
    const port = await freePort()
    const child = spawn('taskset', ['-c', SERVER_CORE, process.execPath, join(import.meta.dirname, 'peers', `${name}.ts`)], {
      env: { ...process.env, PORT: String(port) },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const server = new Server(port, child)
    await server.#answers(name === 'udp')
    return server
  }

  /** The daemon as users run it, with one port. @param cpuProf a folder for CPU profiles */
  static async ours(protocol: string, handler: string, options: { workers?: number; cpuProf?: string | undefined } = {}): Promise<Server> {
    const port = await freePort()
    const dir = mkdtempSync(join(import.meta.dirname, 'results-'))
    const config = {
      runtimeDir: './run',
      workers: options.workers ?? 1,
      log: { level: 'warn', format: 'json' },
      ports: [{ protocol, port, handler: join(import.meta.dirname, 'handlers', `${handler}.ts`) }],
    }
    writeFileSync(join(dir, 'config.json'), JSON.stringify(config))
    const profile = options.cpuProf === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${options.cpuProf}` }
    // With two workers both cores are the server's: what counts then is the CPU time of the whole tree.
    const pin = options.workers === undefined ? ['-c', SERVER_CORE] : ['-c', '0,1']
    const child = spawn('taskset', [...pin, process.execPath, join(ROOT, 'dist', 'bin.js'), 'start', '-c', join(dir, 'config.json')], {
      env: { ...process.env, ...profile },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const server = new Server(port, child, dir)
    await server.#answers(protocol === 'udp')
    return server
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** The first process below this one that is a worker; of a peer, the process itself. */
  get workerPid(): number {
    return Number(readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8').trim().split(' ')[0] || this.pid)
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGTERM')
      await once(this.child, 'exit')
    }
    if (this.#dir !== undefined) rmSync(this.#dir, { recursive: true, force: true })
  }

  async #answers(isUdp: boolean): Promise<void> {
    for (;;) {
      if (this.child.exitCode !== null) throw new Error(`The server ended with ${this.child.exitCode}`)
      if (isUdp ? isBound(this.port) : await connects(this.port)) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function isBound(port: number): boolean {
  return readFileSync('/proc/net/udp', 'utf8').includes(`:${port.toString(16).toUpperCase().padStart(4, '0')} `)
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
