import { execFile } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { StrippedModule } from './stripped.ts'

// With the name that this file has: .js, or .ts where tests import it.
const PROGRAM: string = fileURLToPath(new URL(`./strip-process${extname(import.meta.url)}`, import.meta.url))

/** Runs the program that parses modules. What is loaded before it, or says something of its own, would be taken for what it prints. */
export function stripCommand(urls: readonly string[]): { readonly args: string[]; readonly env: NodeJS.ProcessEnv } {
  return { args: ['--experimental-vm-modules', '--no-warnings', PROGRAM, ...urls], env: { ...process.env, NODE_OPTIONS: '' } }
}

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
  const { args, env } = stripCommand(paths.map((path) => pathToFileURL(path).href))
  const printed = await new Promise<string>((resolve) => {
    const options = { ...account, env, timeout: TIMEOUT_MS, maxBuffer: MAX_BYTES, encoding: 'utf8' } as const
    try {
      execFile(process.execPath, args, options, (_error, stdout) => resolve(stdout))
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
