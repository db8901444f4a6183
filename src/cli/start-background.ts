import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/schema.ts'
import { NotRunningError } from '../errors.ts'
import { LOG_FILE_VARIABLE } from '../log/log.ts'
import { makeFolder } from '../make-folder.ts'
import { Control } from './control.ts'
import { EXIT, say } from './exit-code.ts'

const LOOK_EVERY_MS = 50

/** `polyport start -d`: returns when every port listens, or with the error of the daemon that could not start. */
export async function startInBackground(config: Config, args: readonly string[]): Promise<number> {
  makeFolder(config.runtimeDir)
  const logFile = join(config.runtimeDir, 'polyport.log')
  const log = openSync(logFile, 'a', 0o640)
  const before = statSync(logFile).size
  const program = [...process.execArgv, resolve(process.argv[1] ?? ''), 'start', ...args]
  const child = spawn(process.execPath, program, { detached: true, stdio: ['ignore', log, log], env: { ...process.env, [LOG_FILE_VARIABLE]: logFile } })
  closeSync(log)
  const ended = new Promise<number | null>((resolveCode) => child.once('exit', resolveCode))
  const control = new Control(config.runtimeDir)
  let code: number | undefined
  void ended.then((value) => {
    code = value ?? EXIT.failed
  })
  while (code === undefined && !(await isReady(control, child.pid))) await sleep(LOOK_EVERY_MS)
  if (code !== undefined) {
    process.stderr.write(readFileSync(logFile).subarray(before))
    return say(`${config.name} has not started; ${logFile} holds what it said`, code)
  }
  child.unref()
  process.stdout.write(`${config.name} runs as process ${child.pid}, and logs to ${logFile}\n`)
  return EXIT.done
}

/** Another daemon may be there already: then ours ends by itself, with the reason. */
async function isReady(control: Control, pid: number | undefined): Promise<boolean> {
  try {
    return (await control.isReady()) && (await control.status()).pid === pid
  } catch (error) {
    if (error instanceof NotRunningError) return false
    throw error
  }
}
