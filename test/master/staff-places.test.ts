import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { resolveConfig } from '../../src/config/load-config.ts'
import type { ConfigInput } from '../../src/config/schema.ts'
import { placeText } from '../../src/ipc/place.ts'
import { restartMs, staffPlaces } from '../../src/master/staff-places.ts'

function places(config: Partial<ConfigInput>): string[] {
  return staffPlaces(resolveConfig({ ports: [{ protocol: 'tcp', port: 0, handler: './h.ts' }], ...config })).map(placeText)
}

describe('staffPlaces()', () => {
  test('has none where the config asks for none', () => {
    assert.deepEqual(places({}), [])
  })

  test('has the queue first, then task workers, the timer process, and `count` of each custom process', () => {
    const processes = { a: { module: './a.ts', count: 2 }, b: { module: './b.ts' } }

    const all = places({ tasks: { modules: ['./t.ts'], workers: 2 }, timers: { modules: ['./t.ts'] }, processes })

    assert.deepEqual(all, ['queue', 'task 0', 'task 1', 'timer', 'process a 0', 'process a 1', 'process b 0'])
  })

  test('leaves out timers and processes that are not enabled', () => {
    const off = { module: './a.ts', enabled: false }

    assert.deepEqual(places({ timers: { modules: ['./t.ts'], enabled: false }, processes: { off } }), [])
  })
})

test('restartMs() is `restartSeconds` of a custom process, and 0 for all others', () => {
  const config = resolveConfig({ ports: [{ protocol: 'tcp', port: 0, handler: './h.ts' }], processes: { a: { module: './a.ts', restartSeconds: 0.5 } } })

  assert.equal(restartMs(config, { role: 'process', index: 0, name: 'a' }), 500)
  assert.equal(restartMs(config, { role: 'timer', index: 0 }), 0)
})
