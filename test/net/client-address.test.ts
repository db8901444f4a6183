import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { describe, test } from 'node:test'
import { AddressList } from '../../src/net/address-list.ts'
import { believe, clientAddress, clientOf } from '../../src/net/client-address.ts'

const PROXIES = new AddressList(['127.0.0.1', '10.0.0.0/8', '2001:db8::/32'])

function request(remoteAddress: string | undefined, forwarded?: string): IncomingMessage {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
  const made = { socket: { remoteAddress, remotePort: 4711 }, headers } as unknown as IncomingMessage
  believe(made, PROXIES)
  return made
}

describe('clientAddress()', () => {
  for (const [forwarded, expected] of [
    ['192.0.2.1', '192.0.2.1'],
    ['198.51.100.1, 192.0.2.1', '192.0.2.1'],
    ['192.0.2.1, 10.0.0.1', '192.0.2.1'],
    ['198.51.100.1,192.0.2.1 ,  10.0.0.1, 127.0.0.1', '192.0.2.1'],
    ['10.0.0.2, 10.0.0.1', '10.0.0.2'],
    ['192.0.2.1:8080', '192.0.2.1'],
    ['[2001:db9::1]:8080', '2001:db9::1'],
    ['2001:db9::1', '2001:db9::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['192.0.2.1, unknown, 10.0.0.1', '10.0.0.1'],
    ['unknown', '127.0.0.1'],
    ['', '127.0.0.1'],
    [',', '127.0.0.1'],
  ] as const) {
    test(`is ${expected} for "${forwarded}" of a trusted proxy`, () => {
      assert.equal(clientAddress(request('127.0.0.1', forwarded)), expected)
      assert.equal(clientAddress(request('::ffff:127.0.0.1', forwarded)), expected)
    })
  }

  test('is the address of the connection when that is no proxy, whatever the header says', () => {
    assert.equal(clientAddress(request('192.0.2.9', '192.0.2.1')), '192.0.2.9')
    assert.equal(clientAddress(request('127.0.0.1')), '127.0.0.1')
    assert.equal(clientAddress(request(undefined, '192.0.2.1')), '')
  })

  test('believes nothing on a port that trusts nobody', () => {
    const made = { socket: { remoteAddress: '127.0.0.1' }, headers: { 'x-forwarded-for': '192.0.2.1' } } as unknown as IncomingMessage

    assert.equal(clientAddress(made), '127.0.0.1')
  })
})

test('clientOf() knows the port of a client that no proxy has forwarded', () => {
  assert.deepEqual(clientOf(request('192.0.2.9')), { address: '192.0.2.9', port: 4711 })
  assert.deepEqual(clientOf(request('127.0.0.1', '192.0.2.9')), { address: '192.0.2.9', port: 0 })
})
