import { readdirSync, readlinkSync } from 'node:fs'

/** The descriptors of this process's rings (io_uring): none but on Linux. */
export function ringsOf(): number[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[io_uring]' ? [Number(fd)] : []
    } catch {
      return []
    }
  })
}
