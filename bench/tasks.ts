import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuSeconds, family } from './cpu-seconds.ts'

const ROOT = join(import.meta.dirname, '..')
const POLL_MS = 10

export interface TaskFigures {
  readonly one: Figure
  readonly burst: Figure
  readonly process: Figure
}

/** Tasks a second, and what one costs over all processes that have to do with it. */
export interface Figure {
  readonly perSecond: number
  readonly cpuMicros: number
}

/** A daemon with two task workers: deliveries awaited one by one, in bursts of a thousand, and no-op tasks processed. Each on a fresh disk. */
export async function benchTasks(counts: { one: number; burst: number; process: number }): Promise<TaskFigures> {
  return { one: await measure('one', counts.one), burst: await measure('burst', counts.burst), process: await measure('process', counts.process) }
}

async function measure(what: 'one' | 'burst' | 'process', count: number): Promise<Figure> {
  const results = join(import.meta.dirname, 'results')
  mkdirSync(results, { recursive: true })
  const dir = mkdtempSync(join(results, 'tasks-'))
  const handler = join(import.meta.dirname, 'handlers', 'tasks.ts')
  const config = {
    runtimeDir: './run',
    log: { level: 'warn', format: 'json' },
    ports: [{ protocol: 'http', path: './web.sock', handler }],
    tasks: { workers: 2, modules: [handler], dataDir: './data' },
  }
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config))
  const child = spawn(process.execPath, [join(ROOT, 'dist', 'bin.js'), 'start', '-c', join(dir, 'config.json')], { stdio: ['ignore', 'ignore', 'inherit'] })
  try {
    while (!(await get(join(dir, 'run', 'polyport.sock'), '/readyz').catch(() => '')).startsWith('ready')) await sleep(POLL_MS)
    const pid = child.pid ?? 0
    await get(join(dir, 'web.sock'), '/burst/1000')
    let cpu = cpuSeconds(family(pid))
    const answer = Number(await get(join(dir, 'web.sock'), `/${what}/${count}`))
    if (what !== 'process') return { perSecond: (count / answer) * 1000, cpuMicros: ((cpuSeconds(family(pid)) - cpu) / count) * 1e6 }
    cpu = cpuSeconds(family(pid))
    // The thousand of the warming up wait for long.
    while ((await numLiving(dir)) > 1000) await sleep(POLL_MS)
    return { perSecond: (count / (Date.now() - answer)) * 1000, cpuMicros: ((cpuSeconds(family(pid)) - cpu) / count) * 1e6 }
  } finally {
    child.kill('SIGTERM')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    rmSync(dir, { recursive: true, force: true })
  }
}

async function numLiving(dir: string): Promise<number> {
  const page = await get(join(dir, 'run', 'polyport.sock'), '/metrics')
  return [...page.matchAll(/^polyport_tasks_(?:waiting|running)\{.*\} (\d+)$/gm)].reduce((sum, [, value]) => sum + Number(value), 0)
}

function get(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ socketPath, path }, async (response) => {
      let body = ''
      for await (const chunk of response) body += chunk
      resolve(body)
    })
    request.on('error', reject)
  })
}
