import { type ChildProcess, fork } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import type { Place } from '../ipc/messages.ts'
import { LOG_FILE_VARIABLE } from '../log/log.ts'
import type { Account } from './privileges.ts'

const WORKER_PROGRAM = new URL('../worker/worker-entry.js', import.meta.url)
const DUTY_PROGRAM = new URL('../worker/duty-process.js', import.meta.url)
// Many new connections make V8's young generation grow to its largest, by default 100 MiB that stay: no faster, and with 10,000 idle
// connections a quarter of what each seems to cost. Whoever says otherwise in NODE_OPTIONS is asked first.
const YOUNG_GENERATION = '--max-semi-space-size=8'

/**
 * Starts the program of a process of the daemon. When no process or descriptor is left its 'error' says so, and no 'exit' follows.
 * @param account who it is to run as, if not as the master does. Node also takes all further groups from it
 * @throws Error with what else fork(2) and execve(2) say, ENOMEM for one
 */
export function forkChild({ role }: Place, account: Account | undefined): ChildProcess {
  // In the background: the file that has this name now, not the one that was moved away.
  const logFile = process.env[LOG_FILE_VARIABLE]
  const out = logFile === undefined ? 'inherit' : opened(logFile)
  try {
    return fork(role === 'worker' ? WORKER_PROGRAM : DUTY_PROGRAM, {
      stdio: ['ignore', out, out, 'ipc'],
      execArgv: [...process.execArgv, ...(isYoungGenerationSet() ? [] : [YOUNG_GENERATION])],
      ...account,
    })
  } finally {
    if (typeof out === 'number') closeSync(out)
  }
}

function isYoungGenerationSet(): boolean {
  return [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((option) => /-(max|min)[-_]semi[-_]space[-_]size/.test(option))
}

function opened(logFile: string): number | 'inherit' {
  try {
    return openSync(logFile, 'a')
  } catch {
    // Its folder is gone, or may not be written to any more: no reason not to start.
    return 'inherit'
  }
}
