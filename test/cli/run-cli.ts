import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

/** The repository. */
export const ROOT: string = fileURLToPath(new URL('../../', import.meta.url))
export const BIN: string = join(ROOT, 'dist', 'bin.js')

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess & { readonly stdin: NonNullable<ChildProcess['stdin']>; readonly stdout: NonNullable<ChildProcess['stdout']> }
  readonly ended: Promise<Ended>
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Options of Node itself. */
  readonly execArgv?: readonly string[]
}

/** `polyport …` in a process of its own, its stdin open. Killed when the test ends before it does. */
export function launch(t: TestContext, args: readonly string[], options: RunOptions = {}): Running {
  const child = spawn(process.execPath, [...(options.execArgv ?? []), BIN, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, ...options.env },
  })
  // A process that has ended does not read what is still written to it.
  child.stdin.on('error', () => {})
  const exit = once(child, 'exit') as Promise<[number | null]>
  const ended = Promise.all([exit, all(child.stdout), all(child.stderr)]).then(([[code], stdout, stderr]) => ({ code, stdout, stderr }))
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await ended
  })
  return { child, ended }
}

/** What comes until the stream ends, or until a test closes it. */
async function all(stream: Readable): Promise<string> {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'close')
  return Buffer.concat(chunks).toString()
}

/** The same with this input, until it has ended. */
export function run(t: TestContext, args: readonly string[], options: RunOptions & { readonly input?: string | Uint8Array } = {}): Promise<Ended> {
  const { child, ended } = launch(t, args, options)
  child.stdin.end(options.input ?? '')
  return ended
}

/** A folder inside the repository, so that handlers in it find the package by its name. Removed when the test ends. */
export function folder(t: TestContext): string {
  const parent = join(ROOT, 'test', '.tmp')
  mkdirSync(parent, { recursive: true })
  const dir = mkdtempSync(join(parent, 'cli-'))
  // Who is killed when the test ends may be about to write one more file.
  t.after(() => rmSync(dir, { recursive: true, force: true, maxRetries: 10 }))
  return dir
}
