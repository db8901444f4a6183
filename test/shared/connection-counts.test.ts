import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { ConnectionCounts } from '../../src/shared/connection-counts.ts'
import { Registry } from '../../src/shared/registry.ts'
import type { Store } from '../../src/shared/store.ts'
import { emptyStore } from './shared-memory.ts'

const LIMITS = { maxConnections: 5, maxConnectionsPerIp: 2 }
const BOTH = { isInTotal: true, network: 'a' }

/** The counts as two processes have them, on one clock. */
function twoProcesses(t: TestContext): { store: Store; one: ConnectionCounts; two: ConnectionCounts; clock: { ms: number } } {
  const store = emptyStore(t)
  const clock = { ms: 1000 }
  const now = (): number => clock.ms
  return { store, one: new ConnectionCounts(store, 1, now), two: new ConnectionCounts(store, 2, now), clock }
}

describe('ConnectionCounts', () => {
  test('enter() counts a port and its networks over all processes, each port for itself', (t) => {
    const { one, two } = twoProcesses(t)

    assert.equal(one.enter('p', 'a', LIMITS), undefined)
    assert.equal(two.enter('p', 'a', LIMITS), undefined)
    assert.equal(one.enter('p', 'a', LIMITS), 'max_connections_per_ip')
    assert.equal(one.enter('p', 'b', LIMITS), undefined)
    assert.equal(two.enter('p', 'b', LIMITS), undefined)
    assert.equal(two.enter('p', undefined, LIMITS), undefined)
    assert.equal(one.enter('p', 'c', LIMITS), 'max_connections')
    assert.equal(one.enter('p', undefined, LIMITS), 'max_connections')
    assert.equal(one.enter('q', 'a', LIMITS), undefined)
  })

  test('leave() makes room, and the last one leaves nothing behind', (t) => {
    const { one, two } = twoProcesses(t)
    one.enter('p', 'a', LIMITS)
    two.enter('p', 'a', LIMITS)

    two.leave('p', BOTH)
    assert.equal(one.enter('p', 'a', LIMITS), undefined)
    assert.equal(one.enter('p', 'a', LIMITS), 'max_connections_per_ip')
    one.leave('p', BOTH)
    one.leave('p', BOTH)

    assert.deepEqual(one.numRows, { counts: 0, rates: 0 })
  })

  test('what is not limited is not counted', (t) => {
    const { one } = twoProcesses(t)

    one.enter('p', 'a', {})
    assert.deepEqual(one.numRows, { counts: 0, rates: 0 })
    one.enter('p', 'a', { maxConnections: 5 })
    assert.deepEqual(one.numRows, { counts: 1, rates: 0 })
  })

  test('connectionsPerSecondPerIp lets a second of connections come at once, then one at a time, over all processes', (t) => {
    const { one, two, clock } = twoProcesses(t)
    const limits = { connectionsPerSecondPerIp: 4 }
    const taken = (): number => [one, two, one, two, one, two].filter((counts) => counts.enter('p', 'a', limits) === undefined).length

    assert.equal(taken(), 4)
    assert.equal(one.enter('p', 'a', limits), 'rate')
    assert.equal(one.enter('p', 'b', limits), undefined)
    clock.ms += 250
    assert.equal(taken(), 1)
    clock.ms += 500
    assert.equal(taken(), 2)
    clock.ms += 60_000
    assert.equal(taken(), 4)
  })

  test('connectionsPerSecondPerIp may be less than one', (t) => {
    const { one, clock } = twoProcesses(t)
    const limits = { connectionsPerSecondPerIp: 0.5 }

    assert.equal(one.enter('p', 'a', limits), undefined)
    clock.ms += 1999
    assert.equal(one.enter('p', 'a', limits), 'rate')
    clock.ms += 1
    assert.equal(one.enter('p', 'a', limits), undefined)
  })

  test('networks that have been slow enough are forgotten as others come', (t) => {
    const { one, clock } = twoProcesses(t)
    for (let i = 0; i < 3000; i++) {
      clock.ms += 10
      one.enter('p', `network ${i}`, { connectionsPerSecondPerIp: 1 })
    }

    // A hundred of them are of the last second.
    assert.ok(one.numRows.rates < 1000, `${one.numRows.rates} rows`)
  })

  test('takeOver() moves a count from a process that lives, and makes it anew when that one has died', (t) => {
    const { store, one, two } = twoProcesses(t)
    one.enter('p', 'a', LIMITS)
    one.enter('p', 'a', LIMITS)

    two.takeOver('p', { owner: 1, ticket: BOTH }, BOTH)
    assert.equal(two.enter('p', 'a', LIMITS), 'max_connections_per_ip')
    new Registry(store).purge(1)
    assert.equal(two.enter('p', 'a', LIMITS), undefined)
    two.takeOver('p', { owner: 1, ticket: BOTH }, BOTH)

    two.leave('p', BOTH)
    two.leave('p', BOTH)
    assert.equal(two.enter('p', 'a', LIMITS), undefined)
    two.leave('p', BOTH)
    two.leave('p', BOTH)
    assert.deepEqual(two.numRows, { counts: 0, rates: 0 })
  })

  test('takeOver() counts by the limits that are in force now', (t) => {
    const { one, two } = twoProcesses(t)
    one.enter('p', 'a', { maxConnections: 1 })

    two.takeOver('p', { owner: 1, ticket: { isInTotal: true, network: undefined } }, { isInTotal: false, network: 'a' })

    assert.equal(two.enter('p', 'b', { maxConnections: 1 }), undefined)
    assert.equal(two.enter('p', 'a', { maxConnectionsPerIp: 1 }), 'max_connections_per_ip')
  })

  test('purge() takes out what a dead process had, however much it is', (t) => {
    const { store, one, two } = twoProcesses(t)
    const limits = { maxConnections: 10_000, maxConnectionsPerIp: 10 }
    for (let i = 0; i < 1200; i++) one.enter('p', `network ${i}`, limits)
    two.enter('p', 'network 7', limits)

    new Registry(store).purge(1)

    assert.deepEqual(two.numRows, { counts: 2, rates: 0 })
    two.leave('p', { isInTotal: true, network: 'network 7' })
    assert.deepEqual(two.numRows, { counts: 0, rates: 0 })
  })
})
