import type { Config } from '../config/schema.ts'
import type { CustomProcess } from '../contracts/custom-process.ts'
import type { Problem } from '../errors.ts'
import { importModule } from '../modules/import-module.ts'
import { makeProcess } from './process-class.ts'

/** Imports the module of a custom process, and checks and constructs its class. Nothing runs yet. */
export async function loadProcess(name: string, { processes, dir }: Pick<Config, 'processes' | 'dir'>): Promise<{ made?: CustomProcess; problems: Problem[] }> {
  const module = processes[name]?.module ?? ''
  const imported = await importModule(module, dir)
  const made = 'mistakes' in imported ? imported : makeProcess(imported.value)
  if ('value' in made) return { made: made.value, problems: [] }
  return { problems: made.mistakes.map((mistake) => ({ file: module, path: `processes.${name}.module`, ...mistake })) }
}
