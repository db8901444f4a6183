import { type ConfigOptions, loadNamedConfig } from './config-options.ts'
import { Control } from './control.ts'
import { EXIT } from './exit-code.ts'

/** `polyport heap SLOT`: prints the path of the snapshot. */
export async function heap(options: ConfigOptions & { readonly slot: number }): Promise<number> {
  const control = new Control((await loadNamedConfig(options)).runtimeDir)
  process.stdout.write(`${await control.heap(options.slot)}\n`)
  return EXIT.done
}
