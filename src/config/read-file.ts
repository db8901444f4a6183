import { readFileSync } from 'node:fs'
import { ConfigError } from '../errors.ts'

/** The text of a config file. @throws ConfigError with one sentence */
export function readConfigFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError([{ file, path: '', message: reason(error) }])
  }
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file: name the config file with -c, or make one with "polyport init"'
  if (code === 'EISDIR') return 'this is a folder, expected a config file'
  if (code === 'EACCES' || code === 'EPERM') return 'this user may not read the file'
  return `cannot be read: ${message}`
}
