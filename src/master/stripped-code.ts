import { isAbsolute } from 'node:path'
import type { Config } from '../config/schema.ts'
import { stripTypes } from '../modules/strip-types.ts'
import type { StrippedModule } from '../modules/stripped.ts'
import { modulesOf } from './modules-of.ts'
import type { Account } from './privileges.ts'

const stripped = new WeakMap<Config, Promise<StrippedModule[]>>()

/**
 * The TypeScript that a config names, without its types: once for each config that is read, not in every process. Where a file changes
 * later without a reload, a process that starts then strips it by itself.
 */
export function strippedCode(config: Config, account: Account | undefined): Promise<readonly StrippedModule[]> {
  const known = stripped.get(config)
  if (known !== undefined) return known
  const paths = modulesOf(config).filter((name) => isAbsolute(name))
  const found = stripTypes([...new Set(paths)], account)
  stripped.set(config, found)
  return found
}
