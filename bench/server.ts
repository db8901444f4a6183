import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { postReload } from './reload.ts'

const ROOT = join(import.meta.dirname, '..')
/** The server has one core with all its processes, the generator the other. */
const SERVER_CORE = '0'
const START_TIMEOUT_MS = 15_000

/** A daemon of one port. */
export interface Ours {
  readonly protocol: 'tcp' | 'udp' | 'http' | 'websocket'
  /** A module of bench/handlers. */
  readonly handler: string
  readonly workers?: number
  readonly dispatch?: 'kernel' | 'round-robin'
}

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
    const server = new Server(port, spawnPinned([join(import.meta.dirname, 'peers', `${name}.ts`)], { PORT: String(port) }))
    await server.#answers(name === 'udp')
    return server
  }

  /** The daemon as users run it. @param profiles a folder for a CPU profile of each of its processes */
  static async ours({ protocol, handler, workers = 1, dispatch = 'kernel' }: Ours, profiles?: string): Promise<Server> {
    const port = await freePort()
    const results = join(import.meta.dirname, 'results')
    mkdirSync(results, { recursive: true })
    const dir = mkdtempSync(join(results, 'daemon-'))
    const config = {
      runtimeDir: './run',
      workers,
      dispatch,
      log: { level: 'warn', format: 'json' },
      ports: [{ protocol, port, handler: join(import.meta.dirname, 'handlers', `${handler}.ts`) }],
    }
    writeFileSync(join(dir, 'config.json'), JSON.stringify(config))
    const environment = profiles === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profiles}` }
    const server = new Server(port, spawnPinned([join(ROOT, 'dist', 'bin.js'), 'start', '-c', join(dir, 'config.json')], environment), dir)
    await server.#answers(protocol === 'udp')
    return server
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** Reloads a daemon of ours. */
  async reload(): Promise<void> {
    await postReload(join(this.#dir ?? '', 'run', 'polyport.sock'))
  }

  /** The one worker of a daemon. */
  get workerPid(): number {
    return Number(readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8').trim().split(' ')[0])
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGTERM')
      await once(this.child, 'exit')
    }
    if (this.#dir !== undefined) rmSync(this.#dir, { recursive: true, force: true })
  }

  async #answers(isUdp: boolean): Promise<void> {
    const end = performance.now() + START_TIMEOUT_MS
    while (!(isUdp ? isBound(this.port) : await connects(this.port))) {
      if (this.child.exitCode !== null) throw new Error(`The server ended with ${this.child.exitCode}`)
      if (performance.now() > end) {
        await this.stop()
        throw new Error('The server has not opened its port')
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

function spawnPinned(args: readonly string[], environment: Record<string, string>): ChildProcess {
  // taskset becomes the program that it starts: the pid is the server's.
  return spawn('taskset', ['-c', SERVER_CORE, process.execPath, ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
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
