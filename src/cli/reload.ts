import { type ConfigOptions, loadNamedConfig } from './config-options.ts'
import { Control } from './control.ts'
import { EXIT } from './exit-code.ts'

/** `polyport reload`: returns when the new code serves, and every connection that can move has moved. */
export async function reload(options: ConfigOptions): Promise<number> {
  const control = new Control((await loadNamedConfig(options)).runtimeDir)
  const { name, pid } = await control.status()
  const start = performance.now()
  await control.reload()
  process.stdout.write(`${name} (process ${pid}) has reloaded in ${((performance.now() - start) / 1000).toFixed(2)} s\n`)
  return EXIT.done
}
