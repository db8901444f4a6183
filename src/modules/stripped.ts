import { createHash } from 'node:crypto'
import { registerHooks } from 'node:module'

/** A TypeScript module whose types have been taken away. */
export interface StrippedModule {
  readonly url: string
  /** Of the file as it was. */
  readonly hash: string
  readonly code: string
  /** Whether it is an ES module also where no package.json says so. */
  readonly isModule: boolean
}

export function hashOf(source: string | NodeJS.ArrayBufferView): string {
  return createHash('sha256').update(source).digest('base64')
}

/**
 * Has this process import modules that have been stripped already, as far as their files are still what they were. What strips types in Node is a
 * WebAssembly program that takes 15 MiB and 70 ms of every process that needs it once.
 */
export function importStripped(modules: readonly StrippedModule[]): void {
  if (modules.length === 0) return
  const known = new Map(modules.map((module) => [module.url, module]))
  registerHooks({
    load(url, context, next) {
      const module = known.get(url)
      if (module === undefined) return next(url, context)
      // Where no package.json says what a file is, Node strips it to find out.
      const told = module.isModule ? { ...context, format: context.format ?? 'module-typescript' } : context
      const loaded = next(url, told)
      if (loaded.source == null || hashOf(asView(loaded.source)) !== module.hash) return told === context ? loaded : next(url, context)
      return loaded.format === 'module-typescript' ? { ...loaded, format: 'module', source: module.code } : loaded
    },
  })
}

function asView(source: string | ArrayBuffer | NodeJS.TypedArray): string | NodeJS.ArrayBufferView {
  return source instanceof ArrayBuffer ? new Uint8Array(source) : source
}
