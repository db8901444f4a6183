import { readFile } from 'node:fs/promises'

/** A user or group of the system by name or number. @returns undefined when there is none of that name */
export async function accountId(name: string, database: '/etc/passwd' | '/etc/group'): Promise<number | undefined> {
  return (await accountIds(name, database))?.id
}

/** The user's number, and that of its first group. */
export async function userIds(name: string): Promise<{ uid: number; gid: number | undefined } | undefined> {
  const found = await accountIds(name, '/etc/passwd')
  return found && { uid: found.id, gid: found.groupId }
}

async function accountIds(name: string, database: string): Promise<{ id: number; groupId: number | undefined } | undefined> {
  const isNumber = /^\d+$/.test(name)
  for (const line of (await readFile(database, 'utf8')).split('\n')) {
    // passwd(5): name, password, UID, GID; group(5): name, password, GID, members.
    const [known, , id, groupId] = line.split(':')
    if (known === name || (isNumber && id === name)) return { id: Number(id), groupId: database === '/etc/passwd' ? Number(groupId) : undefined }
  }
  return isNumber ? { id: Number(name), groupId: undefined } : undefined
}
