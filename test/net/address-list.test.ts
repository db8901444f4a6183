import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AddressList, accessRule } from '../../src/net/address-list.ts'

describe('AddressList', () => {
  test('has() knows single addresses and ranges of both families, IPv4 written as IPv6 too', () => {
    const list = new AddressList(['192.0.2.7', '10.0.0.0/8', '2001:db8::/32', '::ffff:198.51.100.0/120', 'fe80::/10'])

    for (const address of ['192.0.2.7', '10.0.0.0', '10.255.255.255', '2001:db8::1', '2001:DB8:ffff::', '198.51.100.9', '::ffff:10.1.1.1', 'fe80::1%lo'])
      assert.equal(list.has(address), true, address)
    for (const address of ['192.0.2.8', '11.0.0.0', '2001:db9::', '198.51.101.0', '::1', '', 'nonsense']) assert.equal(list.has(address), false, address)
  })

  test('has() answers the same again, also after more addresses than it remembers', () => {
    const list = new AddressList(['10.0.0.0/8'])
    for (let turn = 0; turn < 2; turn++) {
      for (let i = 0; i < 1500; i++) {
        assert.equal(list.has(`10.0.${i >> 8}.${i & 255}`), true)
        assert.equal(list.has(`11.0.${i >> 8}.${i & 255}`), false)
      }
    }
  })

  test('has() takes whoever connects by a unix socket when "unix" is in the list', () => {
    assert.equal(new AddressList(['unix']).has(''), true)
    assert.equal(new AddressList(['127.0.0.1']).has(''), false)
  })
})

describe('accessRule()', () => {
  test('is not there when everybody may come', () => {
    assert.equal(accessRule({ deny: [] }), undefined)
  })

  test('lets in whom allow names, but not whom deny names', () => {
    const mayEnter = accessRule({ allow: ['10.0.0.0/8'], deny: ['10.6.6.0/24'] })

    assert.deepEqual(
      ['10.0.0.1', '10.6.6.6', '192.0.2.1', '::1'].map((address) => mayEnter?.(address)),
      [true, false, false, false],
    )
  })

  test('lets everybody in but whom deny names when there is no allow', () => {
    const mayEnter = accessRule({ deny: ['::1', '0.0.0.0/0'] })

    assert.deepEqual(
      ['::1', '::2', '192.0.2.1'].map((address) => mayEnter?.(address)),
      [false, true, false],
    )
  })
})
