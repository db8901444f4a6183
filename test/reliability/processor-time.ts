import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { childrenOf } from '../daemon-process.ts'

// USER_HZ, which is 100 wherever Node runs: proc(5).
const TICK_MS = 10
// In a calm time others have less than this of all processors.
const CALM_SHARE = 0.1

/** How long something took, and what of the machine other programs had meanwhile. */
export interface Measured {
  readonly ms: number
  /** Of all processors, 0 to 1. */
  readonly others: number
}

/** Measures a piece of work of a daemon and of this process. */
export async function measure(daemon: number, work: () => Promise<unknown>): Promise<Measured> {
  const [before, ownBefore, start] = [machineMs(), ownMs(daemon), performance.now()]
  await work()
  const ms = performance.now() - start
  const others = machineMs() - before - (ownMs(daemon) - ownBefore)
  return { ms, others: Math.min(1, Math.max(0, others / (ms * availableParallelism()))) }
}

/** Those of the measurements that another program has not disturbed. */
export function calm(all: readonly Measured[]): number[] {
  return all.filter(({ others }) => others < CALM_SHARE).map(({ ms }) => ms)
}

/** The times as if the processors had been these processes' alone: too short where they did not need all of them. */
export function undisturbed(all: readonly Measured[]): number[] {
  return all.map(({ ms, others }) => ms * (1 - others))
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

/** All processors of the machine, whoever had them. */
function machineMs(): number {
  const fields = /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]?.split(' ').map(Number) ?? []
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields
  return (user + nice + system + irq + softirq + steal) * TICK_MS
}

/** This process, the daemon, its children, and those of them that have ended. */
function ownMs(daemon: number): number {
  const { user, system } = process.cpuUsage()
  const children = childrenOf(daemon).reduce((sum, pid) => sum + sumOf(pid, 2), 0)
  return (user + system) / 1000 + (children + sumOf(daemon, 4)) * TICK_MS
}

/** The first so many of utime, stime, cutime, cstime: proc(5). */
function sumOf(pid: number, count: number): number {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    // It has ended since, and is counted in its parent the next time.
    return 0
  }
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  return fields.slice(11, 11 + count).reduce((sum, ticks) => sum + ticks, 0)
}
