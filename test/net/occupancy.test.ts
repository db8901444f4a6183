import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { createLog } from '../../src/log/log.ts'
import { AddressList } from '../../src/net/address-list.ts'
import { setPeer } from '../../src/net/node-internals.ts'
import { Occupancy, type SharedCounts } from '../../src/net/occupancy.ts'

const log = createLog({ level: 'silent', format: 'json', name: 'test', role: 'test' })

/** Counts that note what they are asked. */
function noted(): { counts: SharedCounts; calls: unknown[][] } {
  const calls: unknown[][] = []
  const counts: SharedCounts = {
    enter: (...call) => {
      calls.push(['enter', ...call])
      return undefined
    },
    leave: (...call) => void calls.push(['leave', ...call]),
    takeOver: (...call) => void calls.push(['takeOver', ...call]),
  }
  return { counts, calls }
}

describe('Occupancy', () => {
  test('writes nothing to shared memory for a port without such limits', () => {
    const { counts, calls } = noted()
    const occupancy = new Occupancy({ port: 'p', limits: {}, counts, log, trustedProxies: undefined })
    const socket = new Socket()

    assert.equal(occupancy.admit('192.0.2.1'), undefined)
    occupancy.hold(socket, '192.0.2.1')
    occupancy.admitForwarded(socket, '192.0.2.1')
    occupancy.takeOver(new Socket(), { owner: 1, ticket: undefined }, '192.0.2.1')
    occupancy.letGo(socket)
    occupancy.released(socket)

    assert.deepEqual(calls, [])
  })

  test('gives back what a socket counted for, once', () => {
    const { counts, calls } = noted()
    const occupancy = new Occupancy({ port: 'p', limits: { maxConnections: 1, maxConnectionsPerIp: 1 }, counts, log, trustedProxies: undefined })
    const [plain, secure] = [new Socket(), new Socket()]

    occupancy.admit('2001:db8::7')
    occupancy.hold(plain, '2001:db8::7')
    occupancy.replace(plain, secure)
    occupancy.released(plain)
    occupancy.released(secure)
    occupancy.released(secure)

    assert.deepEqual(calls.slice(1), [['leave', 'p', { isInTotal: true, network: '2001:db8:0:0::/64' }]])
  })

  test('has no room where shared memory cannot be written, and lets go all the same', () => {
    const full = (): never => {
      throw new Error('MDB_MAP_FULL')
    }
    const counts = { enter: full, leave: full, takeOver: full }
    const occupancy = new Occupancy({ port: 'p', limits: { maxConnections: 1 }, counts, log, trustedProxies: undefined })
    const socket = new Socket()

    assert.equal(occupancy.admit('192.0.2.1'), 'max_connections')
    occupancy.hold(socket, '192.0.2.1')
    occupancy.released(socket)

    assert.equal(occupancy.ticketOf(socket), undefined)
  })

  test('takes a connection of another worker over also where it cannot be counted', () => {
    const calls: string[] = []
    const takeOver = (): never => {
      throw new Error('MDB_MAP_FULL')
    }
    const counts = { enter: () => undefined, leave: () => void calls.push('leave'), takeOver }
    const occupancy = new Occupancy({ port: 'p', limits: { maxConnections: 1 }, counts, log, trustedProxies: undefined })
    const socket = new Socket()

    occupancy.takeOver(socket, { owner: 1, ticket: { isInTotal: true, network: undefined } }, '192.0.2.1')
    occupancy.released(socket)

    assert.deepEqual(calls, [])
  })

  test('counts connections of a trusted proxy, and of a unix socket, for no address until it is known', () => {
    const { counts, calls } = noted()
    const limits = { maxConnectionsPerIp: 1 }
    const occupancy = new Occupancy({ port: 'p', limits, counts, log, trustedProxies: new AddressList(['127.0.0.1', 'unix']) })
    const socket = new Socket()
    setPeer(socket, { address: '127.0.0.1', port: 4711 })
    const other = new Socket()
    setPeer(other, { address: '192.0.2.9', port: 4711 })

    for (const address of ['127.0.0.1', '']) occupancy.admit(address)
    occupancy.hold(socket, '127.0.0.1')
    occupancy.admitForwarded(socket, '192.0.2.1')
    occupancy.admitForwarded(other, '192.0.2.9')
    occupancy.released(socket)

    assert.deepEqual(calls, [
      ['enter', 'p', undefined, limits],
      ['enter', 'p', undefined, limits],
      ['enter', 'p', '192.0.2.1', { ...limits, connectionsPerSecondPerIp: undefined }],
      ['leave', 'p', { isInTotal: false, network: '192.0.2.1' }],
    ])
  })
})
