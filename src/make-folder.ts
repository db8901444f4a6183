import { dirname } from 'node:path'
import { existsSync, mkdirSync, statSync } from './node-fs.ts'

/**
 * Makes a folder with all that it is in, as `mkdirSync` with `recursive` does, which tries for ever where the system says of a folder that is there
 * that it is not: in /proc.
 * @throws the system's error
 */
export function makeFolder(dir: string, mode = 0o777): void {
  try {
    mkdirSync(dir, { mode })
  } catch (error) {
    if (isFolder(dir)) return
    const parent = dirname(dir)
    if (!isMissing(error) || parent === dir) throw error
    if (existsSync(parent)) {
      error.message = `ENOENT: ${parent} takes no new folders, mkdir '${dir}'`
      throw error
    }
    makeFolder(parent, mode)
    makeIn(dir, mode)
  }
}

/** A folder whose parent is there, and which somebody else may make, too. */
function makeIn(dir: string, mode: number): void {
  try {
    mkdirSync(dir, { mode })
  } catch (error) {
    if (!isFolder(dir)) throw error
  }
}

function isMissing(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

function isFolder(dir: string): boolean {
  return statSync(dir, { throwIfNoEntry: false })?.isDirectory() === true
}
