import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { NotRunningError } from '../errors.ts'
import { type ConfigOptions, loadNamedConfig } from './config-options.ts'
import { Control } from './control.ts'
import { EXIT, say } from './exit-code.ts'

const LOOK_EVERY_MS = 50
// What the daemon takes beyond its wait for connections, to stop its workers and to close.
const GRACE_SECONDS = 5
// Fields of /proc/PID/stat behind the name, which may have spaces: proc(5).
const STATE = 0
const NUM_THREADS = 17

/** `polyport stop`: returns when the daemon has ended. */
export async function stop(options: ConfigOptions): Promise<number> {
  const config = await loadNamedConfig(options)
  const control = new Control(config.runtimeDir)
  const { pid, name } = await control.status()
  await control.stop().catch((error: unknown) => {
    // It was there a moment ago, so it is ending already: somebody else has told it to.
    if (!(error instanceof NotRunningError)) throw error
  })
  const deadline = Date.now() + (config.maxWaitSeconds + GRACE_SECONDS) * 1000
  while (isAlive(pid)) {
    if (Date.now() > deadline) {
      return say(`${name} (process ${pid}) has been told to stop and still runs after ${config.maxWaitSeconds + GRACE_SECONDS} s`, EXIT.failed)
    }
    await sleep(LOOK_EVERY_MS)
  }
  process.stdout.write(`${name} (process ${pid}) has stopped\n`)
  return EXIT.done
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is there, and another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return !isZombie(pid)
}

/** Whether all its threads have ended and its parent has not yet asked how: a container's first process may never ask. */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[STATE] === 'Z' && Number(fields[NUM_THREADS]) <= 1
  } catch {
    // No /proc on this system, or gone meanwhile, which the next look finds.
    return false
  }
}
