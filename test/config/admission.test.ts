import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseCidr } from '../../src/config/cidr.ts'
import { resolveConfig } from '../../src/config/load-config.ts'
import type { Config, ConfigInput } from '../../src/config/schema.ts'
import { ConfigError } from '../../src/errors.ts'

function portWith(keys: object): Config {
  return resolveConfig({ ports: [{ protocol: 'tcp', port: 0, handler: './h.ts', ...keys }] } as ConfigInput)
}

/** What is wrong with a port that has these keys: `path: message`, without the port. */
function problems(keys: object): string[] {
  try {
    portWith(keys)
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.problems.map(({ path, message }) => `${path.replace('ports[0].', '')}: ${message}`)
  }
}

const RANGE = 'expected an address, or a range such as "10.0.0.0/8" or "2001:db8::/32"'

describe('keys that say who gets in', () => {
  test('addresses, ranges of both families, and "unix" for proxies of a unix socket are taken', () => {
    assert.deepEqual(
      problems({ allow: ['127.0.0.1', '10.1.2.3/8', '::1', '2001:db8::/32', '::ffff:10.0.0.0/104', '0.0.0.0/0'], deny: [], proxyProtocol: ['::/0'] }),
      [],
    )
    assert.deepEqual(problems({ protocol: 'http', port: undefined, path: './x.sock', proxyProtocol: ['unix'], trustedProxies: ['unix'] }), [])
  })

  test('what is no address is told with its place', () => {
    const lists = { allow: ['10.0.0.0/33', 'localhost'], deny: ['1.2.3', '::1/129', 'fe80::1%eth0', '10.0.0.0/08'], proxyProtocol: ['10.0.0.0/8/8', 'unix'] }
    assert.deepEqual(problems(lists), [
      `allow[0]: "10.0.0.0/33" is no address, ${RANGE}`,
      `allow[1]: "localhost" is no address, ${RANGE}`,
      `deny[0]: "1.2.3" is no address, ${RANGE}`,
      `deny[1]: "::1/129" is no address, ${RANGE}`,
      `deny[2]: "fe80::1%eth0" is no address, ${RANGE}`,
      `deny[3]: "10.0.0.0/08" is no address, ${RANGE}`,
      `proxyProtocol[0]: "10.0.0.0/8/8" is no address, ${RANGE}`,
      'proxyProtocol[1]: "unix" never connects here, expected an address: this port has no "path"',
    ])
  })

  test('an empty allow, which would let nobody in, is a mistake', () => {
    assert.deepEqual(problems({ allow: [] }), ['allow: expected at least 1 entry, found 0'])
  })

  test('addresses on a unix socket are a mistake', () => {
    assert.deepEqual(problems({ protocol: 'http', port: undefined, path: './x.sock', allow: ['::1'], deny: ['::2'], trustedProxies: ['127.0.0.1'] }), [
      'allow: clients of a unix socket have no address: use "mode" and "owner"',
      'deny: clients of a unix socket have no address: use "mode" and "owner"',
      'trustedProxies[0]: "127.0.0.1" never connects by a unix socket, expected "unix"',
    ])
  })

  test('keys of another protocol are a mistake', () => {
    const limits = { maxConnections: 1, maxConnectionsPerIp: 1, connectionsPerSecondPerIp: 1, messagesPerSecond: 1, maxLagMs: 10 }
    const connected = 'only for tcp, http, websocket and stream ports, and this one is udp'
    assert.deepEqual(problems({ protocol: 'udp', limits, heartbeat: {}, proxyProtocol: ['::1'], trustedProxies: ['::1'] }), [
      'limits.messagesPerSecond: only for tcp and websocket ports, and this one is udp',
      `limits.maxConnections: ${connected}`,
      `limits.maxConnectionsPerIp: ${connected}`,
      `limits.connectionsPerSecondPerIp: ${connected}`,
      `limits.maxLagMs: ${connected}`,
      `heartbeat: ${connected}`,
      `proxyProtocol: ${connected}`,
      'trustedProxies: only for http and websocket ports, and this one is udp',
    ])
    assert.deepEqual(problems({ protocol: 'http', limits: { messagesPerSecond: 1 }, heartbeat: {} }), [
      'limits.messagesPerSecond: only for tcp and websocket ports, and this one is http: set it in websocket.limits',
      'heartbeat: on an http port it is for its WebSockets, expected "websocket" beside it',
    ])
  })

  test('limits of the whole port are not for its WebSocket path', () => {
    const websocket = { handler: './h.ts', limits: { maxConnections: 1, messagesPerSecond: 5, maxLagMs: 50 } }
    assert.deepEqual(problems({ protocol: 'http', websocket }), [
      'websocket.limits.maxConnections: of the whole port, expected in its own limits',
      'websocket.limits.maxLagMs: of the whole port, expected in its own limits',
    ])
  })

  test('a heartbeat is looked at as often as it is long at least', () => {
    assert.deepEqual(problems({ heartbeat: { idleSeconds: 30, checkSeconds: 60 } }), [
      'heartbeat.checkSeconds: expected at most idleSeconds, which is 30, found 60',
    ])
    assert.deepEqual(portWith({ heartbeat: {} }).ports[0]?.heartbeat, { idleSeconds: 600 })
  })
})

describe('parseCidr()', () => {
  test('takes IPv4 that is written as IPv6 for IPv4', () => {
    assert.deepEqual(parseCidr('::FFFF:192.0.2.1'), { family: 'ipv4', address: '192.0.2.1', prefix: 32 })
    assert.deepEqual(parseCidr('::ffff:10.0.0.0/104'), { family: 'ipv4', address: '10.0.0.0', prefix: 8 })
    assert.deepEqual(parseCidr('::ffff:0.0.0.0/90'), { family: 'ipv6', address: '::ffff:0.0.0.0', prefix: 90 })
  })
})
