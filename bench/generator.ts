import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'

const SOURCE = join(import.meta.dirname, 'loadgen.c')
const PROGRAM = join(import.meta.dirname, 'loadgen')
const GENERATOR_CORE = '1'

/** What one run of the generator saw. */
export interface Load {
  readonly msgs_per_s: number
  /** Microseconds of CPU time of the server and its children for each message. */
  readonly server_cpu_us_per_msg: number
  readonly p50_us: number
  readonly p99_us: number
  readonly errors: number
  /** Share of its core that the generator used: near 1 it is the bottleneck. */
  readonly busy: number
}

/** Compiles the generator when its source is newer. */
export function buildGenerator(): void {
  if (existsSync(PROGRAM) && statSync(PROGRAM).mtimeMs > statSync(SOURCE).mtimeMs) return
  execFileSync('cc', ['-O2', '-o', PROGRAM, SOURCE], { stdio: 'inherit' })
}

/** Loads a server for some seconds, behind a second of warming up. */
export function generate(mode: string, options: { port: number; pid: number; seconds: number; conns: number; inflight: number; isPinned?: boolean }): Load {
  const args = ['--port', options.port, '--pid', options.pid, '--seconds', options.seconds, '--conns', options.conns, '--inflight', options.inflight]
  const pin = options.isPinned === false ? [] : ['taskset', '-c', GENERATOR_CORE]
  const [command = '', ...rest] = [
    ...pin,
    '/usr/bin/env',
    'bash',
    '-c',
    'ulimit -n 65536; TIMEFORMAT="%U %S %R"; time "$0" "$@"',
    PROGRAM,
    mode,
    ...args.map(String),
  ]
  const { stdout, stderr, status } = spawnSync(command, rest, { encoding: 'utf8', timeout: (options.seconds + 30) * 1000 })
  if (!stdout.startsWith('{')) throw new Error(`The generator ended with ${status}: ${stderr}`)
  const [user = 0, system = 0, real = 1] = (stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number)
  return { ...(JSON.parse(stdout) as Omit<Load, 'busy'>), busy: (user + system) / real }
}
