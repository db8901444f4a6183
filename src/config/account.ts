import { readFileSync } from '../node-fs.ts'

type Database = '/etc/passwd' | '/etc/group'

/** A user or group of the system by name or number. @returns undefined when there is none of that name */
export function accountId(name: string, database: Database): number | undefined {
  return accountIds(name, database)?.id
}

/** The user's number, and that of its first group. */
export function userIds(name: string): { uid: number; gid: number | undefined } | undefined {
  const found = accountIds(name, '/etc/passwd')
  return found && { uid: found.id, gid: found.groupId }
}

function accountIds(name: string, database: Database): { id: number; groupId: number | undefined } | undefined {
  const isNumber = /^\d+$/.test(name)
  for (const line of linesOf(database)) {
    // passwd(5): name, password, UID, GID; group(5): name, password, GID, members.
    const [known, , id, groupId] = line.split(':')
    if (known === name || (isNumber && id === name)) return { id: Number(id), groupId: database === '/etc/passwd' ? Number(groupId) : undefined }
  }
  return isNumber ? { id: Number(name), groupId: undefined } : undefined
}

function linesOf(database: Database): string[] {
  try {
    return readFileSync(database, 'utf8').split('\n')
  } catch {
    // An image of nothing but a program has none: numbers still do.
    return []
  }
}
