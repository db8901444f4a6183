import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import type { Parsed, ParsedPort } from './check-shape.ts'
import { compressionOf, deflateOf } from './compression-schema.ts'
import { modulePath } from './module-path.ts'
import { portName } from './rules.ts'
import { type Config, eofFraming, type FramingConfig, type PortConfig, type WebSocketPathConfig } from './schema.ts'
import { tasksSchema } from './task-schema.ts'
import { toTls } from './to-tls.ts'

const DEFAULT_FRAMING: FramingConfig = eofFraming.parse({ type: 'eof' })

/** What the daemon works with: names given, paths absolute, only the ports that are to be opened. */
export function toConfig(parsed: Parsed, file: string, dir: string): Config {
  const { $schema: _, tasks: __, ...rest } = parsed
  return {
    ...rest,
    file,
    dir,
    workers: parsed.workers === 'auto' ? availableParallelism() : parsed.workers,
    runtimeDir: resolve(dir, parsed.runtimeDir),
    dataDir: resolve(dir, parsed.dataDir),
    watch: { ...parsed.watch, paths: parsed.watch.paths.map((path) => resolve(dir, path)), ignore: parsed.watch.ignore.map((path) => resolve(dir, path)) },
    ...(parsed.admin !== undefined && { admin: withSocket(parsed.admin, dir) }),
    ports: parsed.ports.filter(({ enabled }) => enabled).map((port) => toPort(port, file, dir)),
    ...tasksAndEvents(parsed, dir),
    ...(parsed.timers !== undefined && { timers: { ...parsed.timers, modules: parsed.timers.modules.map((name) => modulePath(name, dir)) } }),
    processes: Object.fromEntries(Object.entries(parsed.processes).map(([name, entry]) => [name, { ...entry, module: modulePath(entry.module, dir) }])),
    lifecycle: parsed.lifecycle.map((name) => modulePath(name, dir)),
    portIndexes: parsed.ports.flatMap(({ enabled }, index) => (enabled ? [index] : [])),
  }
}

/** What listens to events runs as tasks: events alone have tasks as they are by default. */
function tasksAndEvents({ tasks, events, dataDir }: Parsed, dir: string): Pick<Config, 'tasks' | 'events'> {
  if (tasks === undefined && events === undefined) return {}
  const given = tasks ?? tasksSchema.parse({})
  const absolute = (modules: readonly string[]): string[] => modules.map((name) => modulePath(name, dir))
  return {
    tasks: { ...given, modules: absolute(given.modules), dataDir: resolve(dir, given.dataDir ?? dataDir) },
    ...(events !== undefined && { events: { ...events, modules: absolute(events.modules) } }),
  }
}

function toPort(port: ParsedPort, file: string, dir: string): PortConfig {
  const { framing: _, tls, ...rest } = withSocket(port, dir)
  const isHttp = port.protocol === 'http' || port.protocol === 'websocket'
  const framing = port.protocol === 'tcp' ? toFraming(port.framing ?? DEFAULT_FRAMING, dir) : undefined
  return {
    ...rest,
    name: portName(port),
    handler: modulePath(port.handler, dir),
    ...(framing !== undefined && { framing }),
    ...(port.hooks !== undefined && { hooks: port.hooks.map((name) => modulePath(name, dir)) }),
    ...(tls !== undefined && { tls: toTls(tls, { dir, file, port: portName(port), isHttp, http2: port.http2 }) }),
    ...(port.static !== undefined && { static: resolve(dir, port.static) }),
    ...(port.compression !== undefined && { compression: compressionOf(port.compression) ?? false }),
    ...(port.websocket !== undefined && { websocket: toPath(port.websocket, dir) }),
  }
}

function toPath(path: WebSocketPathConfig, dir: string): WebSocketPathConfig {
  const { compression } = path
  return { ...path, handler: modulePath(path.handler, dir), ...(compression !== undefined && { compression: deflateOf(compression) ?? false }) }
}

function toFraming(framing: FramingConfig, dir: string): FramingConfig {
  return framing.type === 'custom' ? { ...framing, module: modulePath(framing.module, dir) } : framing
}

function withSocket<T extends { readonly path?: string | undefined }>(entry: T, dir: string): T {
  return entry.path === undefined ? entry : { ...entry, path: resolve(dir, entry.path) }
}
