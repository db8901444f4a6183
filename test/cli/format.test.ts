import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatColumns } from '../../src/cli/columns.ts'
import { parseTarget, whyNoTarget } from '../../src/cli/connect-target.ts'
import { explain } from '../../src/cli/network-error.ts'
import { formatBytes, formatDuration } from '../../src/cli/units.ts'

describe('formatBytes()', () => {
  for (const [bytes, text] of [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1536, '1.5 KiB'],
    [80 * 1024 * 1024, '80 MiB'],
    [1024 ** 3, '1.0 GiB'],
    [1024 ** 5 * 5, '5120 TiB'],
  ] as const) {
    test(`${bytes} is ${text}`, () => assert.equal(formatBytes(bytes), text))
  }
})

describe('formatDuration()', () => {
  for (const [seconds, text] of [
    [0, '0 s'],
    [59.9, '59 s'],
    [60, '1 m 0 s'],
    [3725, '1 h 2 m'],
    [86_400 * 5 + 3600, '5 d 1 h'],
  ] as const) {
    test(`${seconds} is ${text}`, () => assert.equal(formatDuration(seconds), text))
  }
})

describe('formatColumns()', () => {
  test('lines text up at its start and numbers at their end', () => {
    const table = formatColumns(
      [{ title: 'NAME' }, { title: 'ROWS', isNumber: true }, { title: 'NOTE' }],
      [
        ['a', '1', ''],
        ['longer', '10,000', 'x'],
      ],
    )

    assert.equal(table, 'NAME      ROWS  NOTE\na            1\nlonger  10,000  x')
  })
})

describe('parseTarget()', () => {
  for (const [url, target] of [
    ['tcp://127.0.0.1:5291', { kind: 'tcp', host: '127.0.0.1', port: 5291 }],
    ['tcp://127.0.0.1:5291/', { kind: 'tcp', host: '127.0.0.1', port: 5291 }],
    ['udp://[::1]:9', { kind: 'udp', host: '::1', port: 9 }],
    ['unix:/run/x.sock', { kind: 'unix', path: '/run/x.sock' }],
    ['unix:///run/x.sock', { kind: 'unix', path: '/run/x.sock' }],
    ['unix:./x y%.sock', { kind: 'unix', path: './x y%.sock' }],
    ['wss://example.org/ws?a=b', { kind: 'websocket', url: 'wss://example.org/ws?a=b' }],
  ] as const) {
    test(`understands ${url}`, () => assert.deepEqual(parseTarget(url), target))
  }

  for (const url of ['127.0.0.1:5291', 'tcp://127.0.0.1', 'tcp://:1', 'udp://h:0', 'tcp://h:65536', 'http://h/', 'unix:', '']) {
    test(`refuses "${url}"`, () => assert.equal(parseTarget(url), undefined))
  }
})

describe('whyNoTarget()', () => {
  for (const [url, why] of [
    ['tcp://h:1/path', 'a tcp URL has no path, expected tcp://host:port'],
    ['tls://me:secret@h:1', 'a tls URL has no user, expected tls://host:port'],
    ['udp://h:1?a=b', 'a udp URL has no query, expected udp://host:port'],
    ['wss://h/ws?a=b#c', 'a wss URL has no fragment, expected wss://host:port/path'],
    ['udp://h:1/#a', 'a udp URL has no fragment, expected udp://host:port'],
  ] as const) {
    test(`says of ${url} what it has too much`, () => {
      assert.equal(parseTarget(url), undefined)
      assert.equal(whyNoTarget(url), why)
    })
  }
})

describe('explain()', () => {
  test('looks into what wraps the cause', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED ::1:1'), { code: 'ECONNREFUSED' })

    assert.equal(explain(refused), 'nothing listens there (ECONNREFUSED)')
    assert.equal(explain(new AggregateError([refused])), 'nothing listens there (ECONNREFUSED)')
    assert.equal(explain(new TypeError('failed', { cause: refused })), 'nothing listens there (ECONNREFUSED)')
  })

  test('falls back to the message, and to the code where there is none', () => {
    assert.equal(explain(new Error('odd')), 'odd')
    assert.equal(explain(Object.assign(new Error(''), { code: 'EODD' })), 'EODD')
  })
})
