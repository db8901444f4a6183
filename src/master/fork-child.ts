import { type ChildProcess, fork } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Place } from '../ipc/messages.ts'
import { LOG_FILE_VARIABLE } from '../log/log.ts'
import type { Account } from './privileges.ts'

const WORKER_PROGRAM = new URL('../worker/worker-entry.js', import.meta.url)
const DUTY_PROGRAM = new URL('../worker/duty-process.js', import.meta.url)
// Many new connections make V8's young generation grow to its largest, by default 100 MiB that stay: no faster, and with 10,000 idle
// connections a quarter of what each seems to cost.
const YOUNG_GENERATION = '--max-semi-space-size=8'
// What V8 starts by default.
const MAX_HELPERS = 4

/**
 * Starts the program of a process of the daemon. When no process or descriptor is left its 'error' says so, and no 'exit' follows.
 * @param options.account who it is to run as, if not as the master does. Node also takes all further groups from it
 * @param options.workers how many there are
 * @throws Error with what else fork(2) and execve(2) say, ENOMEM for one
 */
export function forkChild({ role }: Place, { account, workers }: { account: Account | undefined; workers: number }): ChildProcess {
  // In the background: the file that has this name now, not the one that was moved away.
  const logFile = process.env[LOG_FILE_VARIABLE]
  const out = logFile === undefined ? 'inherit' : opened(logFile)
  try {
    return fork(role === 'worker' ? WORKER_PROGRAM : DUTY_PROGRAM, {
      stdio: ['ignore', out, out, 'ipc'],
      execArgv: [...process.execArgv, ...v8Options(workers)],
      ...account,
    })
  } finally {
    if (typeof out === 'number') closeSync(out)
  }
}

/** Whoever says otherwise in NODE_OPTIONS is asked first. */
function v8Options(workers: number): string[] {
  const given = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' ')
  const isYoungGenerationSet = /-(max|min)[-_]semi[-_]space[-_]size/.test(given)
  return [...(isYoungGenerationSet ? [] : [YOUNG_GENERATION]), ...(/-v8[-_]pool[-_]size/.test(given) ? [] : [`--v8-pool-size=${numHelpers(workers)}`])]
}

/** Threads with which V8 collects and compiles beside a worker's own: what the other workers leave of the processors. Each has memory of its own. */
function numHelpers(workers: number): number {
  return Math.min(MAX_HELPERS, Math.max(1, Math.floor(availableParallelism() / workers) - 1))
}

function opened(logFile: string): number | 'inherit' {
  try {
    return openSync(logFile, 'a')
  } catch {
    // Its folder is gone, or may not be written to any more: no reason not to start.
    return 'inherit'
  }
}
