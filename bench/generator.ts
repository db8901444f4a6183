import { execFile, execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const SOURCE = join(import.meta.dirname, 'loadgen.c')
const PROGRAM = join(import.meta.dirname, 'loadgen')
const GENERATOR_CORE = '1'

/** What one run of the generator saw. */
export interface Load {
  readonly messagesPerSecond: number
  /** CPU time of the server and of all processes below it for each message, in microseconds. */
  readonly serverCpuMicros: number
  /** The share of a core that the server used, and that the generator did: near 1 it is the bottleneck. */
  readonly serverBusy: number
  readonly generatorBusy: number
  readonly p50Micros: number
  readonly p99Micros: number
  /** Answers that were wrong, lost or cut off. */
  readonly errors: number
}

export interface LoadOptions {
  readonly mode: 'tcp' | 'udp' | 'http' | 'ws-echo' | 'ws-publish'
  readonly conns: number
  readonly inflight: number
  readonly seconds: number
}

/** Compiles the generator when its source is newer. */
export function buildGenerator(): void {
  if (existsSync(PROGRAM) && statSync(PROGRAM).mtimeMs > statSync(SOURCE).mtimeMs) return
  execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-o', PROGRAM, SOURCE], { stdio: 'inherit' })
}

/** Loads a server for some seconds, after a second of warming up. */
export async function generate(server: { port: number; pid: number }, { mode, conns, inflight, seconds }: LoadOptions): Promise<Load> {
  const numbers = { port: server.port, pid: server.pid, conns, inflight, seconds }
  const args = Object.entries(numbers).flatMap(([name, number]) => [`--${name}`, String(number)])
  const { stdout } = await promisify(execFile)('taskset', ['-c', GENERATOR_CORE, PROGRAM, mode, ...args], { timeout: (seconds + 30) * 1000 })
  return JSON.parse(stdout) as Load
}
