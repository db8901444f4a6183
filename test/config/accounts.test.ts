import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { loadConfig, resolveConfig } from '../../src/config/load-config.ts'
import { configFolder, problemsOf } from './config-folder.ts'

const ROOT_ONLY = process.getuid?.() === 0 ? {} : { skip: 'only to root user and group say something' }
const PORT = { protocol: 'tcp', path: './x.sock', handler: './h.ts' } as const

/** What is wrong with a config file, without its places. */
function problems(config: object): string[] {
  const dir = configFolder({ 'config.json': JSON.stringify(config), 'h.ts': '' })
  return problemsOf(() => loadConfig(join(dir, 'config.json')), dir).map((problem) => problem.replace(/^config\.json:\d+:\d+: /, ''))
}

describe('loadConfig() asks the system for', () => {
  test('user and group, each by itself', ROOT_ONLY, () => {
    assert.deepEqual(problems({ user: 'no-such-user', group: 'no-such-group', ports: [PORT] }), [
      'user: this system has no user "no-such-user", expected a name or number of /etc/passwd',
      'group: this system has no group "no-such-group", expected a name or number of /etc/group',
    ])
    assert.deepEqual(problems({ user: 'nobody', ports: [PORT] }), [])
  })

  test('the group of a user who is but a number', ROOT_ONLY, () => {
    assert.deepEqual(problems({ user: '54321', ports: [PORT] }), [
      'user: /etc/passwd does not say which group is that of user "54321", expected "group" beside it',
    ])
    assert.deepEqual(problems({ user: '54321', group: '54321', ports: [PORT] }), [])
  })

  test('the owner of a unix socket, also for a config object', () => {
    const ports = [{ ...PORT, owner: 'no-such-user:no-such-group' }]
    const expected = [
      'ports[0].owner: this system has no user "no-such-user", expected a name or number of /etc/passwd',
      'ports[0].owner: this system has no group "no-such-group", expected a name or number of /etc/group',
    ]

    assert.deepEqual(problems({ ports }), expected)
    assert.deepEqual(
      problemsOf(() => resolveConfig({ ports }), 'no-folder'),
      expected.map((problem) => `config: ${problem}`),
    )
    assert.deepEqual(problems({ ports: [{ ...PORT, owner: ':root' }] }), [])
  })
})
