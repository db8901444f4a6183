import { NotRunningError } from '../errors.ts'
import { loadNamedConfig } from './config-options.ts'
import { type StartOptions, start } from './start.ts'
import { stop } from './stop.ts'

/** `polyport restart`: stops the daemon if it runs, and starts it. */
export async function restart(options: StartOptions): Promise<number> {
  // What cannot be started again is not stopped.
  await loadNamedConfig(options)
  try {
    const code = await stop(options)
    if (code !== 0) return code
  } catch (error) {
    if (!(error instanceof NotRunningError)) throw error
  }
  return start(options)
}
