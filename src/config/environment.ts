import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Problem } from '../errors.ts'
import { readEnvFile } from './env-file.ts'

/** Names and values for `${VAR}`. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * The environment that a config is filled from: `.env.NAME` of its folder, overridden by the process's own.
 * @param name what `-e` was given; no file is read without it
 */
export function readEnvironment(dir: string, name: string | undefined, own: Environment): { environment: Environment; problems: Problem[] } {
  if (name === undefined) return { environment: own, problems: [] }
  const file = join(dir, `.env.${name}`)
  if (!/^[\w.-]+$/.test(name)) {
    return { environment: own, problems: [{ file, path: '', message: `"${name}" cannot name an environment: expected letters, digits, "_", "-" or "."` }] }
  }
  try {
    const { values, problems } = readEnvFile(file, readFileSync(file, 'utf8'))
    return { environment: { ...values, ...own }, problems }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? `there is no such file, which "-e ${name}" asks for` : `cannot be read: ${message}`
    return { environment: own, problems: [{ file, path: '', message: reason }] }
  }
}
