import type { Config } from '../config/schema.ts'
import type { LifecycleHooks } from '../contracts/lifecycle.ts'
import type { Problem } from '../errors.ts'
import { kindOf, meantBy } from '../modules/exported.ts'
import { importModule } from '../modules/import-module.ts'
import type { Mistake } from '../modules/mistake.ts'

export type HookName = keyof LifecycleHooks

export const HOOKS: readonly HookName[] = ['onDaemonStart', 'onDaemonStop', 'onWorkerStart', 'onWorkerStop', 'onWorkerError']

/** A lifecycle module that is whole. */
export interface LoadedHooks {
  readonly file: string
  readonly hooks: LifecycleHooks
}

/** Imports and checks the modules of `lifecycle`. Nothing of them is called. */
export async function loadLifecycle({ lifecycle, dir }: Pick<Config, 'lifecycle' | 'dir'>): Promise<{ loaded: LoadedHooks[]; problems: Problem[] }> {
  const loaded: LoadedHooks[] = []
  const problems: Problem[] = []
  for (const [index, file] of lifecycle.entries()) {
    const module = await importModule(file, dir)
    const mistakes = 'mistakes' in module ? module.mistakes : wrongExports(module.value)
    problems.push(...mistakes.map((mistake) => ({ file, path: `lifecycle[${index}]`, ...mistake })))
    if ('value' in module && mistakes.length === 0) loaded.push({ file, hooks: module.value as LifecycleHooks })
  }
  return { loaded, problems }
}

function wrongExports(exports: Readonly<Record<string, unknown>>): Mistake[] {
  const names = Object.keys(exports)
  if (names.length === 0) return [{ message: `there is no export, expected any of ${HOOKS.join(', ')}` }]
  return names.flatMap((name) => {
    const value = exports[name]
    if (HOOKS.includes(name as HookName)) return typeof value === 'function' ? [] : [{ message: `${name} is ${kindOf(value)}, expected a function` }]
    const meant = meantBy(name, HOOKS)
    return [{ message: `nothing calls ${name}, ${meant === undefined ? `expected any of ${HOOKS.join(', ')}` : `did you mean ${meant}?`}` }]
  })
}
