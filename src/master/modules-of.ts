import type { Config } from '../config/schema.ts'

/** Everything that a config has imported: absolute paths, and names of packages. */
export function modulesOf({ ports, tasks, events, timers, processes, lifecycle }: Config): string[] {
  const ofPorts = ports.flatMap(({ handler, websocket, hooks = [], framing }) => [
    handler,
    ...hooks,
    ...(websocket === undefined ? [] : [websocket.handler]),
    ...(framing?.type === 'custom' ? [framing.module] : []),
  ])
  const ofProcesses = Object.values(processes).map(({ module }) => module)
  return [...ofPorts, ...ofProcesses, ...lifecycle, ...[tasks, events, timers].flatMap((section) => section?.modules ?? [])]
}
