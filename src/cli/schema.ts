import { configJsonSchema } from '../config/json-schema.ts'
import { EXIT } from './exit-code.ts'

/** `polyport schema`. */
export async function schema(): Promise<number> {
  process.stdout.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`)
  return EXIT.done
}
