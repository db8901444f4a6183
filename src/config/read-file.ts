import { closeSync, openSync, readSync } from 'node:fs'
import { ConfigError } from '../errors.ts'

// A config of a thousand ports is a quarter of this.
const MAX_BYTES = 1024 * 1024

/** The text of a config file, or of what is no file but can be read, such as a pipe. @throws ConfigError with one sentence */
export function readConfigFile(file: string): string {
  let bytes: Buffer | undefined
  try {
    bytes = readAtMost(file)
  } catch (error) {
    throw new ConfigError([{ file, path: '', message: reason(error) }])
  }
  if (bytes === undefined) throw new ConfigError([{ file, path: '', message: `longer than a config can be, expected at most ${MAX_BYTES} bytes` }])
  return bytes.toString()
}

/** Undefined when there is more; it is not read, as it may have no end. */
function readAtMost(file: string): Buffer | undefined {
  const fd = openSync(file, 'r')
  try {
    const bytes = Buffer.alloc(MAX_BYTES + 1)
    let length = 0
    for (let read = -1; read !== 0 && length < bytes.length; length += read) read = readSync(fd, bytes, length, bytes.length - length, null)
    return length > MAX_BYTES ? undefined : bytes.subarray(0, length)
  } finally {
    closeSync(fd)
  }
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file, expected a config file'
  if (code === 'EISDIR') return 'this is a folder, expected a config file'
  if (code === 'EACCES' || code === 'EPERM') return 'this user may not read the file'
  return `cannot be read: ${message}`
}
