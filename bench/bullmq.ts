import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { createClient } from 'redis'
import { cpuSeconds } from './cpu-seconds.ts'
import type { TaskFigures } from './tasks.ts'

const CHUNK = 1000
const DATA = { n: 1, text: 'some text' }

/** Whether there is a redis-server to run (Debian: apt-get install redis-server). */
export function hasRedis(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0
}

/** BullMQ on a redis-server of its own with appendonly yes, appendfsync everysec: what was added in the last second may be lost with the machine. */
export async function benchBullMq(counts: { one: number; burst: number; process: number }): Promise<TaskFigures> {
  const dir = mkdtempSync(join(tmpdir(), 'polyport-bench-redis-'))
  const path = join(dir, 'redis.sock')
  const redis = spawn('redis-server', ['--port', '0', '--unixsocket', path, '--dir', dir, '--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''], {
    stdio: 'ignore',
  })
  const workers: ChildProcess[] = []
  try {
    while (!existsSync(path)) await sleep(20)
    const client = await createClient({ socket: { path, tls: false } }).connect()
    const queue = new Queue('bench', { connection: client, defaultJobOptions: { removeOnComplete: true } })
    await queue.waitUntilReady()
    const pids = (): number[] => [process.pid, redis.pid ?? 0, ...workers.flatMap(({ pid }) => pid ?? [])]
    const addAll = async (count: number): Promise<void> => {
      for (let from = 0; from < count; from += CHUNK) await queue.addBulk(Array.from({ length: CHUNK }, () => ({ name: 'noop', data: DATA })))
    }
    const one = await measure(counts.one, pids, async () => {
      for (let i = 0; i < counts.one; i++) await queue.add('noop', DATA)
    })
    await queue.obliterate({ force: true })
    const burst = await measure(counts.burst, pids, () => addAll(counts.burst))
    await queue.obliterate({ force: true })
    await queue.pause()
    await addAll(counts.process)
    for (let i = 0; i < 2; i++) workers.push(fork(join(import.meta.dirname, 'peers', 'bullmq-worker.ts'), { env: { ...process.env, REDIS_PATH: path } }))
    await Promise.all(workers.map((worker) => once(worker, 'message')))
    const processed = await measure(counts.process, pids, async () => {
      await queue.resume()
      while ((await queue.getJobCountByTypes('waiting', 'active', 'prioritized')) > 0) await sleep(20)
    })
    await queue.close()
    client.destroy()
    return { one, burst, process: processed }
  } finally {
    for (const child of [...workers, redis]) {
      child.kill('SIGTERM')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    rmSync(dir, { recursive: true, force: true })
  }
}

async function measure(count: number, pids: () => readonly number[], work: () => Promise<void>): Promise<TaskFigures['one']> {
  const cpu = cpuSeconds(pids())
  const startedAt = performance.now()
  await work()
  return { perSecond: (count / (performance.now() - startedAt)) * 1000, cpuMicros: ((cpuSeconds(pids()) - cpu) / count) * 1e6 }
}
