import { registerHooks } from 'node:module'

/** A TypeScript module whose types have been taken away. */
export interface StrippedModule {
  readonly url: string
  /** The file as it was. */
  readonly source: string
  readonly code: string
  /** Whether it is an ES module also where no package.json says so. */
  readonly isModule: boolean
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
      if (loaded.source == null || textOf(loaded.source) !== module.source) return told === context ? loaded : next(url, context)
      // Once: a process imports a module only once.
      known.delete(url)
      return loaded.format === 'module-typescript' ? { ...loaded, format: 'module', source: module.code } : loaded
    },
  })
}

function textOf(source: string | ArrayBuffer | NodeJS.TypedArray): string {
  if (typeof source === 'string') return source
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(source)
}
