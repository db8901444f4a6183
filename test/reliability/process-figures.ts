import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { isDeepStrictEqual } from 'node:util'

export const KIB = 1024
export const MIB: number = 1024 * KIB

/** Resident memory in bytes: all of it, the part that is no file (heap, stacks, buffers), and the most since `resetPeak`. */
export function memoryOf(pid: number): { rss: number; anon: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * KIB
  return { rss: field('VmRSS'), anon: field('RssAnon'), peak: field('VmHWM') }
}

/** Its proportional set size in bytes: all of its own memory, and its share of what several processes have together, as of the program itself. */
export function proportionalOf(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) * KIB
}

/** proc(5), clear_refs: 5 sets the peak to what is resident now. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** Time on a processor of all threads that the process has, to the nanosecond: /proc/PID/stat counts in steps of 10 ms. */
export function cpuSecondsOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  return threads.reduce((sum, thread) => sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e9, 0)
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Asks again and again until it holds; for what no event tells of. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Not within ${withinMs} ms: ${what}`)
    await sleep(20)
  }
  // What was written to a pipe before that is read in this turn, as the log of the daemon is.
  await new Promise((resolve) => setImmediate(resolve))
}

/** Asks again and again until the answer is as expected, and fails when it never is: a count may follow what it counts. */
export async function becomes<T>(expected: T, ask: () => T | Promise<T>, withinMs = 10_000): Promise<void> {
  const end = performance.now() + withinMs
  let actual = await ask()
  while (!isDeepStrictEqual(actual, expected) && performance.now() < end) {
    await sleep(20)
    actual = await ask()
  }
  assert.deepEqual(actual, expected)
}

/** Whether somebody listens there. The file of a unix socket is there before that. */
export async function answers(where: { path: string }): Promise<boolean> {
  const socket = connect(where)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
