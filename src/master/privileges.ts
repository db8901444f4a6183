import { lchownSync, readdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { accountId, userIds } from '../config/account.ts'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'
import { ConfigError } from '../errors.ts'
import { makeFolder } from '../make-folder.ts'

/** Who all processes but the master run as. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/**
 * The account that `user` and `group` of a config name. The master stays root, to open ports below 1024 also in a reload; it carries no traffic.
 * @returns undefined when there is nothing to drop
 * @throws ConfigError when the system does not know them
 */
export function accountOf(config: Config, log: Logger): Account | undefined {
  const { user, group } = config
  if (process.getuid?.() !== 0) {
    if (user !== undefined || group !== undefined) log.warn('user and group have no effect: only root can become somebody else')
    return undefined
  }
  if (user === undefined) {
    const why = group === undefined ? '' : ', and "group" has no effect without "user"'
    log.warn(`Handlers run as root${why}: set "user" in the config to a user without privileges`)
    return undefined
  }
  const found = userIds(user)
  const gid = group === undefined ? found?.gid : accountId(group, '/etc/group')
  // The config was checked for both.
  if (found === undefined || gid === undefined)
    throw new ConfigError([{ file: config.file, path: 'user', message: `this system no longer knows the account of "${user}"` }])
  return { uid: found.uid, gid }
}

/** Makes a folder, and gives all that is in it to the account. Nothing without a folder. */
export function giveFolder(dir: string | undefined, account: Account): void {
  if (dir === undefined) return
  makeFolder(dir, 0o700)
  give(realpathSync(dir), account)
}

/** Root does this where the account can write already: what was a file a moment ago may be a link to /etc/shadow now, so none is followed. */
function give(dir: string, account: Account): void {
  lchownSync(dir, account.uid, account.gid)
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) give(path, account)
    else if (entry.isFile()) lchownSync(path, account.uid, account.gid)
  }
}
