import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { resolveConfig } from '../../src/config/load-config.ts'
import { createLog } from '../../src/log/log.ts'
import { SharedState } from '../../src/master/shared-state.ts'
import { Registry } from '../../src/shared/registry.ts'
import { temporaryFolder } from '../shared/shared-memory.ts'

test('forget() survives memory that cannot be written, and tries again when the next process ends', async (t) => {
  const folder = temporaryFolder(t)
  const ports = [{ protocol: 'tcp', port: 0, handler: './h.ts' }]
  const config = resolveConfig({ ports, runtimeDir: join(folder, 'run'), dataDir: join(folder, 'data') })
  const log = createLog({ level: 'silent', format: 'json', name: 'test', role: 'test' })
  const errors = t.mock.method(log, 'error', () => {})
  const shared = await SharedState.make(config, { uid: undefined, log })
  t.after(() => shared.close())
  const purge = t.mock.method(Registry.prototype, 'purge', () => [1, 2])
  purge.mock.mockImplementationOnce(() => {
    throw new Error('MDB_MAP_FULL')
  })

  assert.equal(shared.forget(7), 0)
  assert.equal(errors.mock.callCount(), 1)
  assert.equal(shared.forget(8), 4)
  assert.deepEqual(
    purge.mock.calls.map(({ arguments: [owner] }) => owner),
    [7, 7, 8],
  )
})
