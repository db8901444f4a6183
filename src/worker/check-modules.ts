import type { Config } from '../config/schema.ts'
import type { Problem } from '../errors.ts'
import { loadLifecycle } from '../lifecycle/load-lifecycle.ts'
import { loadProcess } from '../processes/load-process.ts'
import { loadTaskClasses } from '../tasks/load-task-classes.ts'
import { loadTimers } from '../timers/timer-class.ts'
import { loadHandlers } from './load-handlers.ts'

/** Every mistake in the code that a config names, whatever it is for. Nothing is started. */
export async function checkModules(config: Config): Promise<Problem[]> {
  const found: { readonly problems: readonly Problem[] }[] = [
    await loadHandlers(config),
    await loadTaskClasses(config),
    await loadLifecycle(config),
    await loadTimers(config),
  ]
  for (const name of Object.keys(config.processes)) found.push(await loadProcess(name, config))
  return found.flatMap(({ problems }) => problems)
}
