import { lstatSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../contracts/logger.ts'
import { processStat } from './process-stat.ts'

/**
 * A process whose master is killed ends by itself, unless it is in an endless loop: then it would stay, and hold the sockets of the ports. So each
 * has a note in the shared memory, which nobody removes then. The sentry (sentry.ts) ends whom it finds there; when that was killed, too, the
 * next start does.
 */

/** The processes of one master, or of whichever was last. */
export interface Whose {
  readonly master?: number
}

const PREFIX = 'process-'
const WAIT_MS = 5000
const LOOK_MS = 10

/** @param store the folder of the shared memory */
export function noteProcess(store: string, owner: number, pid: number | undefined): void {
  const startedAt = pid === undefined ? undefined : startOf(pid)
  if (startedAt === undefined) return
  try {
    writeFileSync(notePath(store, owner), `${pid} ${startedAt} ${process.pid}`, { mode: 0o600 })
  } catch {
    // The daemon is being stopped, or the memory is full: the process matters more than the note.
  }
}

export function notePath(store: string, owner: number): string {
  return join(store, `${PREFIX}${owner}`)
}

/** Ends what a daemon of this shared memory has left. Resolves when all of it has ended. */
export async function endLeftovers(store: string, log: Pick<Logger, 'warn'>, { master }: Whose = {}): Promise<void> {
  const left = notedIn(store).filter((note) => (master === undefined || note.master === master) && isStillThere(note))
  for (const { pid } of left) {
    log.warn({ childPid: pid }, 'A process still runs whose master has died: it is killed')
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      log.warn({ err: error, childPid: pid }, 'Cannot kill a process whose master has died')
    }
  }
  const end = performance.now() + WAIT_MS
  while (left.some(isStillThere) && performance.now() < end) await sleep(LOOK_MS)
}

/** Neither ended nor a zombie. */
export function isRunning(pid: number): boolean {
  return startOf(pid) !== undefined
}

interface Note {
  readonly pid: number
  readonly startedAt: string
  readonly master: number
  /** Whose the folder is: the workers' user, who is to have none but processes of its own killed. */
  readonly uid: number
}

function notedIn(store: string): Note[] {
  try {
    const { uid } = lstatSync(store)
    return readdirSync(store)
      .filter((name) => name.startsWith(PREFIX))
      .flatMap((name) => noteOf(join(store, name), uid) ?? [])
  } catch {
    // Nothing was left.
    return []
  }
}

function noteOf(path: string, uid: number): Note | undefined {
  if (!lstatSync(path).isFile()) return undefined
  const [pid, startedAt = '', master] = readFileSync(path, 'utf8').split(' ')
  return { pid: Number(pid), startedAt, master: Number(master), uid }
}

/** By its time of start, too: the number alone may be another program's by now. */
function isStillThere({ pid, startedAt, uid }: Note): boolean {
  return Number.isSafeInteger(pid) && pid > 1 && pid !== process.pid && startOf(pid) === startedAt && ownerOf(pid) === uid
}

/** Undefined when it has ended, or where there is no /proc. */
function startOf(pid: number): string | undefined {
  const stat = processStat(pid)
  return stat?.hasEnded === false ? stat.startedAt : undefined
}

function ownerOf(pid: number): number | undefined {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid
}
