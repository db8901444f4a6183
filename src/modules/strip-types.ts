import { execFile } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { StrippedModule } from './stripped.ts'

export type { StrippedModule }

// With the name that this file has: .js, or .ts where tests import it.
export const STRIP_PROGRAM: string = fileURLToPath(new URL(`./strip-process${extname(import.meta.url)}`, import.meta.url))
export const STRIP_OPTIONS: readonly string[] = ['--experimental-vm-modules', '--no-warnings']

// Whoever waits for it can do it without.
const TIMEOUT_MS = 3000
const MAX_BYTES = 16 * 1024 * 1024

/**
 * Takes the types from TypeScript modules and from what they import by relative paths, in a process of its own that evaluates nothing.
 * @param paths absolute paths
 * @returns what could be stripped: not what has mistakes, which are found where it is imported
 */
export async function stripTypes(paths: readonly string[], account?: { readonly uid: number; readonly gid: number }): Promise<StrippedModule[]> {
  if (!paths.some((path) => /\.m?ts$/.test(path))) return []
  const urls = paths.map((path) => pathToFileURL(path).href)
  const printed = await new Promise<string>((resolve) => {
    const options = { ...account, env: { ...process.env, NODE_OPTIONS: '' }, timeout: TIMEOUT_MS, maxBuffer: MAX_BYTES, encoding: 'utf8' } as const
    try {
      execFile(process.execPath, [...STRIP_OPTIONS, STRIP_PROGRAM, ...urls], options, (_error, stdout) => resolve(stdout))
    } catch {
      // There is no memory for a process, or so many paths are more than the system hands over (ENOMEM, E2BIG): spawn throws it.
      resolve('')
    }
  })
  // The last line is cut off when the process was ended.
  return printed
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as StrippedModule)
}
