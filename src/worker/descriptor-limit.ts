import { closeSync, openSync, readFileSync } from '../node-fs.ts'

// For what must go on when connections have taken the rest: the report reads /proc, files are served, logs are opened.
const RESERVE = 32
const RESERVE_SHARE = 0.25

/**
 * The first descriptor that connections are to leave alone. The kernel gives out the lowest number that is free, so a new
 * socket with this number or a higher one tells that those below are all in use.
 */
export function reservedFrom(): number {
  const limit = Number(/^Max open files +(\d+)/m.exec(readLimits())?.[1] ?? Number.POSITIVE_INFINITY)
  return limit - Math.min(RESERVE, limit * RESERVE_SHARE)
}

/** The descriptor that the next socket would get; infinite when there is none. */
export function lowestFree(): number {
  try {
    const fd = openSync('/dev/null', 'r')
    closeSync(fd)
    return fd
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** Empty where there is no /proc: libuv then closes what comes when no descriptor is left. */
function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8')
  } catch {
    return ''
  }
}
