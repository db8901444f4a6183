import { lchownSync, mkdirSync, readdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'
import { ConfigError } from '../errors.ts'
import { accountId, userIds } from '../net/account.ts'

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
export async function accountOf(config: Config, log: Logger): Promise<Account | undefined> {
  const { user, group } = config
  if (process.getuid?.() !== 0) {
    if (user !== undefined || group !== undefined) log.warn('user and group have no effect: only root can become somebody else')
    return undefined
  }
  if (user === undefined) {
    log.warn('Handlers run as root: set "user" in the config to a user without privileges')
    return undefined
  }
  const found = await userIds(user)
  const gid = group === undefined ? found?.gid : await accountId(group, '/etc/group')
  const problem = (path: string, message: string): ConfigError => new ConfigError([{ file: config.file, path, message }])
  if (found === undefined) throw problem('user', `this system has no user "${user}", expected a name or number of /etc/passwd`)
  if (gid === undefined) throw problem('group', `this system has no group "${group ?? user}", expected a name or number of /etc/group`)
  return { uid: found.uid, gid }
}

/** Makes a folder, and gives all that is in it to the account. Nothing without a folder. */
export function giveFolder(dir: string | undefined, account: Account): void {
  if (dir === undefined) return
  mkdirSync(dir, { recursive: true, mode: 0o700 })
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
