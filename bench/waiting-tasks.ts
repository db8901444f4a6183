import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TaskStore } from '../src/shared/task-store.ts'
import { encodeRecord, KIND, RECORD_VERSION, STAGE } from '../src/tasks/task-record.ts'
import { family } from './cpu-seconds.ts'
import { type Memory, memoryOf } from './idle.ts'

const ROOT = join(import.meta.dirname, '..')
const BATCH = 20_000
const HOUR_MS = 3_600_000

/** What tasks that wait cost: how much longer the daemon takes to be ready, in milliseconds, and how much larger the queue is, in KiB. */
export async function benchWaiting(count: number, inputBytes: number): Promise<{ startMs: number; rss: number; anon: number }> {
  const results = join(import.meta.dirname, 'results')
  mkdirSync(results, { recursive: true })
  const dir = mkdtempSync(join(results, 'waiting-'))
  try {
    const handler = join(import.meta.dirname, 'handlers', 'tasks.ts')
    const config = {
      runtimeDir: './run',
      ports: [{ protocol: 'http', path: './web.sock', handler }],
      tasks: { modules: [handler], dataDir: './data' },
    }
    writeFileSync(join(dir, 'config.json'), JSON.stringify(config))
    const empty = await start(dir)
    await fill(join(dir, 'data'), count, inputBytes)
    const full = await start(dir)
    return { startMs: full.startMs - empty.startMs, rss: full.memory.rss - empty.memory.rss, anon: full.memory.anon - empty.memory.anon }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

async function fill(dir: string, count: number, inputBytes: number): Promise<void> {
  const store = new TaskStore({ dir, version: RECORD_VERSION })
  const input = Buffer.from(JSON.stringify('x'.repeat(inputBytes - 2)))
  const now = Date.now()
  const state = { producer: 1, deliveredAt: now, due: now + HOUR_MS, backoffMs: 1000, tries: 1, attempts: 0, kills: 0, stage: STAGE.handle, kind: KIND.task }
  for (let n = 1; n <= count; n++) {
    // Numbers as the daemon gives them.
    const id = 1_000_000 + n
    store.put(id, encodeRecord({ ...state, id, className: 'Noop', eventName: '', input, output: Buffer.alloc(0) }))
    if (n % BATCH === 0) await store.commit()
  }
  await store.close()
}

async function start(dir: string): Promise<{ startMs: number; memory: Memory }> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, [join(ROOT, 'dist', 'bin.js'), 'start', '-c', join(dir, 'config.json')], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    await untilReady(child)
    const startMs = performance.now() - startedAt
    const queue = family(child.pid ?? 0).find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('polyport: queue'))
    return { startMs, memory: memoryOf(queue ?? 0) }
  } finally {
    child.kill('SIGTERM')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
}

async function untilReady({ stdout }: ChildProcess): Promise<void> {
  let text = ''
  await new Promise<void>((resolve) => {
    stdout?.on('data', (chunk: Buffer) => {
      text += chunk
      if (/\bReady\b/.test(text)) resolve()
    })
  })
}
