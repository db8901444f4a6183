import { type ConfigOptions, findRunning } from './config-options.ts'
import { Control } from './control.ts'
import { EXIT, say } from './exit-code.ts'

/** `polyport heap SLOT`: prints the path of the snapshot. */
export async function heap(options: ConfigOptions & { readonly slot: number }): Promise<number> {
  if (!Number.isInteger(options.slot)) return say('Cannot write a heap snapshot: expected the number of a worker', EXIT.usage)
  const control = new Control((await findRunning(options)).runtimeDir)
  process.stdout.write(`${await control.heap(options.slot)}\n`)
  return EXIT.done
}
