import type { Stats } from 'node:fs'
import { connect } from 'node:net'
import { accountId } from '../config/account.ts'
import { BindError } from '../errors.ts'
import { chmodSync, chownSync, lstatSync, unlinkSync } from '../node-fs.ts'

/**
 * Makes room for a unix socket: a socket file that nobody listens on is removed. Anything else that is there is not ours.
 * @throws BindError
 */
export async function clearUnixPath(path: string, what: string): Promise<void> {
  const stat = statOf(path)
  if (stat === undefined) return
  if (!stat.isSocket()) throw new BindError(`Cannot open ${what} on ${path}: there is a file that is no socket; move it away or choose another path`)
  if (await isListening(path)) throw new BindError(`Cannot open ${what} on ${path}: another process listens there; stop it or choose another path (EADDRINUSE)`)
  unlinkSync(path)
}

/** Makes room for a unix socket whose path is known to be ours: whoever has it open keeps it, without a name. */
export async function takeUnixPath(path: string): Promise<void> {
  const stat = statOf(path)
  if (stat?.isSocket() === true) unlinkSync(path)
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch {
    return undefined
  }
}

/** Whether a process has this socket open, of whatever type: connect(2) refuses only when nobody has. */
export function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'))
  })
}

/**
 * Gives a unix socket the mode and owner of its config.
 * @throws BindError when there is no such user or group, or this process may not
 */
export async function applyOwnership(path: string, config: { mode?: string | undefined; owner?: string | undefined }): Promise<void> {
  try {
    if (config.mode !== undefined) chmodSync(path, Number.parseInt(config.mode, 8))
    if (config.owner === undefined) return
    const [user = '', group = ''] = config.owner.split(':')
    // -1 leaves it as it is: chown(2).
    chownSync(path, idOf(user, '/etc/passwd'), idOf(group, '/etc/group'))
  } catch (error) {
    throw new BindError(`Cannot set mode and owner of ${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

function idOf(name: string, database: '/etc/passwd' | '/etc/group'): number {
  if (name === '') return -1
  const id = accountId(name, database)
  if (id === undefined) throw new Error(`"owner" names "${name}", expected a name or number of ${database}`)
  return id
}
