import { setTimeout as sleep } from 'node:timers/promises'
import { NotRunningError } from '../errors.ts'
import { processStat } from '../master/process-stat.ts'
import { longestStopSeconds } from '../master/stop-time.ts'
import { type ConfigOptions, findRunning } from './config-options.ts'
import { Control } from './control.ts'
import { EXIT, say } from './exit-code.ts'

const LOOK_EVERY_MS = 50
// A busy machine takes its time over what the daemon does in time.
const SLACK_SECONDS = 5
// By the default of maxWaitSeconds: what the config says is not known.
const UNKNOWN_STOP_SECONDS = 40

/** `polyport stop`: returns when the daemon has ended. */
export async function stop(options: ConfigOptions): Promise<number> {
  const { runtimeDir, config } = await findRunning(options)
  const control = new Control(runtimeDir)
  const { pid, name } = await control.status()
  const withinSeconds = await control.stop().catch((error: unknown) => {
    // It was there a moment ago, so it is ending already: somebody else has told it to.
    if (!(error instanceof NotRunningError)) throw error
    return undefined
  })
  const waitSeconds = (withinSeconds ?? (config === undefined ? UNKNOWN_STOP_SECONDS : longestStopSeconds(config))) + SLACK_SECONDS
  const deadline = performance.now() + waitSeconds * 1000
  while (isAlive(pid)) {
    if (performance.now() > deadline) return say(`${name} (process ${pid}) has been told to stop and still runs after ${waitSeconds} s`, EXIT.failed)
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
  // Its parent may not have asked how it ended: a container's first process may never ask. No /proc: the next look tells.
  return processStat(pid)?.hasEnded !== true
}
