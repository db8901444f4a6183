import { dirname, isAbsolute, relative, sep } from 'node:path'
import type { Config } from '../config/schema.ts'
import { modulesOf } from './modules-of.ts'

/** What is watched: the paths of the config, and the folders of the modules that it names, as those need not be below the config's own folder. */
export function watchedPaths(config: Config): string[] {
  const paths = [...config.watch.paths]
  for (const module of modulesOf(config)) {
    // A package by its name is not what is being worked on.
    if (!isAbsolute(module) || module.includes(`${sep}node_modules${sep}`)) continue
    const folder = dirname(module)
    if (!paths.some((path) => isBelow(folder, path))) paths.push(folder)
  }
  return paths
}

function isBelow(path: string, folder: string): boolean {
  const rest = relative(folder, path)
  return rest !== '..' && !rest.startsWith(`..${sep}`) && !isAbsolute(rest)
}
