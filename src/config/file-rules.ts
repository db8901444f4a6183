import { statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Shape } from './check-shape.ts'
import type { Finding, Path } from './finding.ts'
import { findPackage, modulePath } from './module-path.ts'

export function staticIsAFolder({ ports }: Shape, dir: string): Finding[] {
  return ports.flatMap(({ path, value }) => {
    if (value.static === undefined) return []
    const folder = resolve(dir, value.static)
    const kind = kindOf(folder)
    if (kind === 'folder') return []
    return [{ path: [...path, 'static'], message: kind === 'nothing' ? `there is no folder ${folder}` : `${folder} is a file, expected a folder` }]
  })
}

export function handlersExist({ ports }: Shape, dir: string): Finding[] {
  return ports.flatMap(({ path, value }) => [
    ...moduleExists([...path, 'handler'], value.handler, dir),
    ...(value.websocket === undefined ? [] : moduleExists([...path, 'websocket', 'handler'], value.websocket.handler, dir)),
  ])
}

export function framingModulesExist({ ports }: Shape, dir: string): Finding[] {
  return ports.flatMap(({ path, value: { framing } }) => (framing?.type === 'custom' ? moduleExists([...path, 'framing', 'module'], framing.module, dir) : []))
}

export function workModulesExist({ tasks, events, timers, processes, lifecycle }: Shape, dir: string): Finding[] {
  const listed = [
    ...(tasks?.value.modules ?? []).map((name, index) => ({ path: ['tasks', 'modules', index], name })),
    ...(events?.value.modules ?? []).map((name, index) => ({ path: ['events', 'modules', index], name })),
    ...(timers?.value.modules ?? []).map((name, index) => ({ path: ['timers', 'modules', index], name })),
    ...(lifecycle?.value ?? []).map((name, index) => ({ path: ['lifecycle', index], name })),
    ...processes.map(({ path, value }) => ({ path: [...path, 'module'], name: value.module })),
  ]
  return listed.flatMap(({ path, name }) => moduleExists(path, name, dir))
}

export function hooksExist({ ports }: Shape, dir: string): Finding[] {
  return ports.flatMap(({ path, value }) => (value.hooks ?? []).flatMap((name, i) => moduleExists([...path, 'hooks', i], name, dir)))
}

function moduleExists(path: Path, name: string, dir: string): Finding[] {
  const module = modulePath(name, dir)
  if (module === name && !name.startsWith('/')) {
    if (findPackage(name, dir) !== undefined) return []
    return [{ path, message: `there is no package "${name}" that ${dir} can import, expected an installed package, or a file such as "./${name}"` }]
  }
  const kind = kindOf(module)
  if (kind === 'file') return []
  const ending = ENDINGS.find((one) => kindOf(module + one) === 'file')
  const meant = ending === undefined ? '' : `, did you mean "${name}${ending}"?`
  return [{ path, message: `${kind === 'nothing' ? `there is no file ${module}` : `${module} is a folder, expected a file`}${meant}` }]
}

// Node does not guess them.
const ENDINGS = ['.ts', '.js', '.mjs', '.mts']

/** A folder that is to be made and written to, where a file is in the way. */
export function foldersAreFree({ runtimeDir, parsed, tasks }: Shape, dir: string): Finding[] {
  const hasDurable = Object.values(parsed?.tables ?? {}).some(({ persist }) => persist)
  const folders: (readonly [Path, string | undefined])[] = [
    [['runtimeDir'], runtimeDir],
    [['dataDir'], hasDurable ? parsed?.dataDir : undefined],
    [['tasks', 'dataDir'], tasks?.value.dataDir],
  ]
  return folders.flatMap(([path, name]) => {
    if (name === undefined) return []
    const folder = resolve(dir, name)
    const file = [folder, ...parentsOf(folder)].find((one) => kindOf(one) === 'file')
    return file === undefined ? [] : [{ path, message: `${file} is a file, expected a folder` }]
  })
}

function parentsOf(path: string): string[] {
  const parent = dirname(path)
  return parent === path ? [] : [parent, ...parentsOf(parent)]
}

function kindOf(file: string): 'file' | 'folder' | 'nothing' {
  // Also for a path that no system call takes, such as one with a NUL in it.
  try {
    return statSync(file).isDirectory() ? 'folder' : 'file'
  } catch {
    return 'nothing'
  }
}

export function unixDatagramIsInstalled({ ports }: Shape, dir: string): Finding[] {
  const needed = ports.filter(({ value }) => value.enabled && value.protocol === 'udp' && value.path !== undefined)
  if (needed.length === 0 || findPackage('unix-dgram', dir) !== undefined) return []
  const message = 'a unix datagram socket needs an optional package that is not there, expected it to be installed: "npm install unix-dgram"'
  return needed.map(({ path }) => ({ path: [...path, 'path'], message }))
}

export const fileRules: readonly ((shape: Shape, dir: string) => Finding[])[] = [
  unixDatagramIsInstalled,
  foldersAreFree,
  handlersExist,
  hooksExist,
  framingModulesExist,
  workModulesExist,
]
