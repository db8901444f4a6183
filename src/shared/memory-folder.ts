import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { existsSync, lstatSync } from '../node-fs.ts'

const SHARED_MEMORY = '/dev/shm'

/** Where a daemon's shared memory is: its own folder on the tmpfs, or among the temporary files where there is none. */
export function sharedMemoryDir(runtimeDir: string): string {
  const base = existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir()
  const { createHash } = process.getBuiltinModule('node:crypto')
  const hash = createHash('sha256').update(resolve(runtimeDir)).digest('hex').slice(0, 16)
  return join(base, `polyport-${process.getuid?.() ?? 0}-${hash}`)
}

/**
 * Anybody may write to a tmpfs: a folder or link that somebody else has put there must not be used.
 * @param otherUid who else may have made it, besides the user of this process
 * @throws Error when it was somebody else
 */
export function checkOwner(dir: string, otherUid?: number): void {
  const stat = lstatSync(dir, { throwIfNoEntry: false })
  if (stat === undefined) return
  if (!stat.isDirectory() || (process.getuid !== undefined && stat.uid !== process.getuid() && stat.uid !== otherUid)) {
    throw new Error(`Cannot use ${dir} as shared memory: it is not a folder of this user; remove it`)
  }
}
