import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { stripCommand } from './strip-types.ts'

export interface SourcePlace {
  readonly file?: string
  readonly line?: number
  readonly column?: number
}

/** The head that Node prints before the stack of a syntax error: file and line, the lines themselves, a mark under the place. */
export function placeIn(printed: string): SourcePlace & { readonly text?: string } {
  const [head = '', ...rest] = printed.split('\n', 10)
  // A file of a folder without "type" in its package.json is named by its path.
  const [, where = '', line] = /^((?:file:\/)?\/.+):(\d+)$/.exec(head) ?? []
  const file = where.startsWith('/') ? where : URL.canParse(where) ? fileURLToPath(where) : undefined
  if (file === undefined) return {}
  const below = rest.findIndex((text) => /^\s*\^+$/.test(text))
  const column = (rest[below] ?? '').indexOf('^') + 1
  const found = { file, line: Number(line) }
  return column > 0 ? { ...found, column, text: (rest[below - 1] ?? '').slice(column - 1) } : found
}

const TIMEOUT_MS = 5000

/**
 * Finds the first syntax error in a module or in what it imports: Node tells where one in JavaScript is only when it ends the process. Takes a process, so
 * only for a module that has one.
 */
export function findSyntaxError(url: string): SourcePlace & { readonly text?: string } {
  const { args, env } = stripCommand([url])
  const { stderr } = spawnSync(process.execPath, args, {
    env,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  return placeIn(stderr)
}
