import { readFileSync } from 'node:fs'

// Fields of /proc/PID/stat behind the name, which may have spaces: proc(5).
const STATE = 0
const NUM_THREADS = 17
const START_TIME = 19

export interface ProcessStat {
  /** All its threads have, and at most its parent has not yet asked how. Its first one may have before others, which still hold the sockets. */
  readonly hasEnded: boolean
  /** In ticks since the machine has started. */
  readonly startedAt: string | undefined
}

/** Undefined where there is no process of that number, or no /proc. */
export function processStat(pid: number): ProcessStat | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const isDead = fields[STATE] === 'Z' || fields[STATE] === 'X'
    return { hasEnded: isDead && Number(fields[NUM_THREADS]) <= 1, startedAt: fields[START_TIME] }
  } catch {
    return undefined
  }
}
