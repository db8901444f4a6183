import { accountId, userIds } from './account.ts'
import type { Shape } from './check-shape.ts'
import type { Finding } from './finding.ts'

/** Only for root: to anybody else `user` and `group` say nothing, as who develops a daemon need not have its account. */
export function accountExists({ user, group }: Shape): Finding[] {
  if (process.getuid?.() !== 0 || user === undefined) return []
  const found = userIds(user)
  if (found === undefined)
    return [{ path: ['user'], message: `this system has no user "${user}", expected a name or number of /etc/passwd` }, ...groupExists(group)]
  if (group === undefined && found.gid === undefined)
    return [{ path: ['user'], message: `/etc/passwd does not say which group is that of user "${user}", expected "group" beside it` }]
  return groupExists(group)
}

function groupExists(group: string | undefined): Finding[] {
  if (group === undefined || accountId(group, '/etc/group') !== undefined) return []
  return [{ path: ['group'], message: `this system has no group "${group}", expected a name or number of /etc/group` }]
}

export function ownersExist({ ports }: Shape): Finding[] {
  return ports.flatMap(({ path, value: { owner } }) => {
    const [user = '', group = ''] = owner?.split(':') ?? []
    const unknown = [
      ...(user !== '' && accountId(user, '/etc/passwd') === undefined ? [`user "${user}", expected a name or number of /etc/passwd`] : []),
      ...(group !== '' && accountId(group, '/etc/group') === undefined ? [`group "${group}", expected a name or number of /etc/group`] : []),
    ]
    return unknown.map((what) => ({ path: [...path, 'owner'], message: `this system has no ${what}` }))
  })
}
