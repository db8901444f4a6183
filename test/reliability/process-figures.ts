import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

export const KIB = 1024
export const MIB: number = 1024 * KIB
// USER_HZ, which Linux has fixed at 100 for what /proc shows.
const TICKS_PER_SECOND = 100

/** Resident memory in bytes: all of it, the part that is no file (heap, stacks, buffers), and the most since `resetPeak`. */
export function memoryOf(pid: number): { rss: number; anon: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * KIB
  return { rss: field('VmRSS'), anon: field('RssAnon'), peak: field('VmHWM') }
}

/** proc(5), clear_refs: 5 sets the peak to what is resident now. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** User and system time that the process has used. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Asks again and again until it holds; for what no event tells of. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>, withinMs = 5000): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Not within ${withinMs} ms: ${what}`)
    await sleep(20)
  }
}
