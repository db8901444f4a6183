import { registerHooks } from 'node:module'
import { isAbsolute, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { statSync } from '../node-fs.ts'
import { importMistake } from './import-mistake.ts'
import { failed, type Outcome } from './mistake.ts'

/**
 * Imports a module that the config names.
 * @param name the absolute path of a file, or the name of a package that is looked for from `dir`
 */
export async function importModule(name: string, dir: string): Promise<Outcome<Readonly<Record<string, unknown>>>> {
  if (isAbsolute(name)) {
    const stat = statSync(name, { throwIfNoEntry: false })
    if (stat === undefined) return failed({ message: 'there is no such file' })
    if (stat.isDirectory()) return failed({ message: 'this is a folder, expected a file' })
  }
  try {
    return { value: (await (isAbsolute(name) ? import(pathToFileURL(name).href) : importPackage(name, dir))) as Readonly<Record<string, unknown>> }
  } catch (error) {
    return failed(importMistake(error, name))
  }
}

/** An import resolves from the file it is written in, this one: the package is the config's, whose folder may be elsewhere. */
async function importPackage(name: string, dir: string): Promise<unknown> {
  const alias = `polyport-config:${name}`
  const parentURL = pathToFileURL(join(dir, 'config.json')).href
  const hooks = registerHooks({
    resolve: (specifier, context, next) => (specifier === alias ? next(name, { ...context, parentURL }) : next(specifier, context)),
  })
  try {
    return await import(alias)
  } finally {
    hooks.deregister()
  }
}
