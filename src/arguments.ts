import { isIP } from 'node:net'
import { valueText } from './value-text.ts'

const MAX_PORT = 65_535
const NOBODY: readonly number[] = []

/**
 * What TypeScript does not let through and JavaScript does. For those arguments that would otherwise be taken for something that is not there:
 * a user 5 is nobody, as the user is called '5'.
 */

/** @throws TypeError for what is no number: the number of a connection that came as text, say */
export function checkFd(fd: unknown): void {
  if (typeof fd !== 'number') throw new TypeError(`Cannot use ${valueText(fd)} as the fd of a connection: expected a number`)
}

/** @throws TypeError for what is no string. Of strings any may be asked for, as they often come from clients */
export function checkName(what: 'group' | 'user', name: unknown): void {
  if (typeof name !== 'string') throw new TypeError(`Cannot use ${valueText(name)} as the name of a ${what}: expected a string`)
}

/**
 * @param action what is to be done with them, behind "Cannot"
 * @throws TypeError for a key that nobody reads, and for what is no object
 */
export function checkOptions(action: string, options: unknown, keys: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw new TypeError(`Cannot ${action} with ${valueText(options)}: expected { ${keys.join(', ')} }`)
  for (const key in options) if (!keys.includes(key)) throw new TypeError(`Cannot ${action} with "${key}": expected ${keys.join(', ')}`)
}

/**
 * Who is left out of a publication.
 * @throws TypeError for options by which nobody would be
 */
export function exceptOf(options: { readonly except?: number | readonly number[] } | undefined): readonly number[] {
  if (options === undefined) return NOBODY
  checkOptions('publish', options, ['except'])
  const { except = NOBODY } = options
  const fds = typeof except === 'object' && Array.isArray(except) ? except : [except]
  for (const fd of fds) checkFd(fd)
  return fds
}

/**
 * Names are not looked up, and what has no address would go to this machine.
 * @param isUnix whether the port is a unix socket, which has a path for an address
 * @throws TypeError or RangeError for what can be nobody's address
 */
export function checkDestination(to: { readonly address: string; readonly port: number }, isUnix: () => boolean): void {
  const { address, port } = to
  if (isIP(address) === 0) {
    const isPath = isUnix()
    if (isPath && typeof address === 'string') return
    throw new TypeError(`Cannot send a datagram to address ${valueText(address)}: expected ${isPath ? 'a path' : 'an IPv4 or IPv6 address'}`)
  }
  if (!(Number.isInteger(port) && port > 0 && port <= MAX_PORT))
    throw new RangeError(`Cannot send a datagram to port ${valueText(port)}: expected a whole number from 1 to ${MAX_PORT}`)
}
