import { dirname, isAbsolute } from 'node:path'
import { BindError } from '../errors.ts'
import { existsSync } from '../node-fs.ts'
import { getSystemErrorMessage, getSystemErrorName } from '../node-util.ts'

/** Turns an errno of bind(2) or listen(2) into one sentence that says what to do. `code` is negative, as libuv gives it. */
export function bindError(what: string, address: string, code: number): BindError {
  // libuv gives EACCES for ENOENT, as Windows does.
  const name = isInNoFolder(address) ? 'ENOENT' : getSystemErrorName(code)
  return new BindError(`Cannot open ${what} on ${address}: ${REASONS[name] ?? `${getSystemErrorMessage(code)} (${name})`}`)
}

function isInNoFolder(address: string): boolean {
  return isAbsolute(address) && !existsSync(dirname(address))
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there; stop it or choose another address (EADDRINUSE)',
  EADDRNOTAVAIL: 'this machine has no such address (EADDRNOTAVAIL)',
  EACCES: 'this user may not; ports below 1024 need root or CAP_NET_BIND_SERVICE, a socket file needs a writable folder (EACCES)',
  EPERM: 'this user may not (EPERM)',
  ENOENT: 'the folder of the socket does not exist (ENOENT)',
  ENOTDIR: 'a part of the path is not a folder (ENOTDIR)',
  EINVAL: 'the address or path is not valid, or the path is longer than 107 bytes (EINVAL)',
  ENAMETOOLONG: 'the path is longer than 107 bytes (ENAMETOOLONG)',
  EAFNOSUPPORT: 'this machine has no IPv6 (EAFNOSUPPORT)',
  EMFILE: 'this process may not open more files; raise "ulimit -n" (EMFILE)',
}
