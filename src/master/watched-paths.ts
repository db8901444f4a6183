import { dirname, isAbsolute, relative, sep } from 'node:path'
import type { Config } from '../config/schema.ts'

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

function modulesOf({ ports, tasks, events, timers, processes, lifecycle }: Config): string[] {
  const ofPorts = ports.flatMap(({ handler, websocket, hooks = [], framing }) => [
    handler,
    ...hooks,
    ...(websocket === undefined ? [] : [websocket.handler]),
    ...(framing?.type === 'custom' ? [framing.module] : []),
  ])
  const ofProcesses = Object.values(processes).map(({ module }) => module)
  return [...ofPorts, ...ofProcesses, ...lifecycle, ...[tasks, events, timers].flatMap((section) => section?.modules ?? [])]
}

function isBelow(path: string, folder: string): boolean {
  const rest = relative(folder, path)
  return rest !== '..' && !rest.startsWith(`..${sep}`) && !isAbsolute(rest)
}
