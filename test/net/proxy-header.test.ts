import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { MAX_HEADER_BYTES, type ProxyHeader, parseProxyHeader } from '../../src/net/proxy-header.ts'

// 100,000 with POLYPORT_FUZZ_RUNS=100000: some seconds.
const numRuns = Number(process.env['POLYPORT_FUZZ_RUNS'] ?? 5000)
const SIGNATURE = '0d0a0d0a000d0a515549540a'
const GOOD: readonly (readonly [what: string, header: Buffer, address: string | undefined, port?: number])[] = [
  ['TCP4', v1('PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n'), '192.0.2.1', 56324],
  ['TCP6', v1('PROXY TCP6 2001:DB8:0:0::1 ::1 1 65535\r\n'), '2001:db8::1', 1],
  ['IPv4 in IPv6', v1('PROXY TCP6 ::ffff:192.0.2.1 ::1 0 0\r\n'), '192.0.2.1', 0],
  [
    'the longest line',
    v1('PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n'),
    'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    65535,
  ],
  ['UNKNOWN', v1('PROXY UNKNOWN\r\n'), undefined],
  ['UNKNOWN with addresses', v1('PROXY UNKNOWN ffff::1 whatever 1 2\r\n'), undefined],
  ['IPv4', v2('21 11 000c c0000201 c6336401 dc04 01bb'), '192.0.2.1', 56324],
  ['IPv4, datagrams', v2('21 12 000c c0000201 c6336401 dc04 01bb'), '192.0.2.1', 56324],
  ['IPv6', v2(`21 21 0024 20010db8000000000000000000000001 ${'00'.repeat(16)} 0001 0002`), '2001:db8::1', 1],
  ['IPv4 in IPv6', v2(`21 21 0024 00000000000000000000ffffc0000201 ${'00'.repeat(16)} 0001 0002`), '192.0.2.1', 1],
  ['IPv4 and TLVs', v2('21 11 0013 c0000201 c6336401 dc04 01bb 04 0004 00000000'), '192.0.2.1', 56324],
  ['a unix socket', v2(`21 31 00d8 ${'61'.repeat(216)}`), '', 0],
  ['LOCAL', v2('20 00 0000'), undefined],
  ['LOCAL with addresses', v2('20 11 000c c0000201 c6336401 dc04 01bb'), undefined],
  ['LOCAL with an unknown family', v2('20 ff 0001 00'), undefined],
  ['no family', v2('21 00 0003 040000'), undefined],
]
const BAD: readonly (readonly [what: string, header: Buffer])[] = [
  ['a request', v1('GET / HTTP/1.1\r\n\r\n')],
  ['small letters', v1('proxy TCP4 192.0.2.1 198.51.100.1 56324 443\r\n')],
  ['no carriage return', v1('PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n')],
  ['no family', v1('PROXY \r\n')],
  ['another family', v1('PROXY UDP4 192.0.2.1 198.51.100.1 56324 443\r\n')],
  ['IPv6 as TCP4', v1('PROXY TCP4 ::1 ::1 56324 443\r\n')],
  ['IPv4 as TCP6', v1('PROXY TCP6 192.0.2.1 198.51.100.1 56324 443\r\n')],
  ['an interface', v1('PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n')],
  ['leading zeros in an address', v1('PROXY TCP4 192.0.02.1 198.51.100.1 56324 443\r\n')],
  ['leading zeros in a port', v1('PROXY TCP4 192.0.2.1 198.51.100.1 0443 443\r\n')],
  ['too high a port', v1('PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n')],
  ['no port', v1('PROXY TCP4 192.0.2.1 198.51.100.1 443\r\n')],
  ['two spaces', v1('PROXY TCP4  192.0.2.1 198.51.100.1 56324 443\r\n')],
  ['something behind', v1('PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n')],
  ['too long a line', v1(`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`)],
  ['a line without end', v1(`PROXY ${'x'.repeat(120)}`)],
  ['version 1 in the form of version 2', v2('11 11 000c c0000201 c6336401 dc04 01bb')],
  ['another command', v2('22 11 000c c0000201 c6336401 dc04 01bb')],
  ['another family', v2(`21 41 000c ${'00'.repeat(12)}`)],
  ['another transport', v2('21 13 000c c0000201 c6336401 dc04 01bb')],
  ['too short for IPv4', v2('21 11 000b c0000201 c6336401 dc04 01')],
  ['too short for IPv6', v2('21 21 000c c0000201 c6336401 dc04 01bb')],
  ['too long', v2('21 11 1000')],
]

function v1(line: string): Buffer {
  return Buffer.from(line, 'latin1')
}

function v2(hex: string): Buffer {
  return Buffer.from(SIGNATURE + hex.replaceAll(' ', ''), 'hex')
}

describe('parseProxyHeader()', () => {
  for (const [what, header, address, port] of GOOD) {
    const expected: ProxyHeader = { length: header.length, source: address === undefined ? undefined : { address, port: port ?? 0 } }
    test(`takes ${what} of version ${header[0] === 0x0d ? 2 : 1}, whatever follows`, () => {
      assert.deepEqual(parseProxyHeader(header), expected)
      assert.deepEqual(parseProxyHeader(Buffer.concat([header, Buffer.from('\r\nPROXY ')])), expected)
    })

    test(`asks for more of ${what} of version ${header[0] === 0x0d ? 2 : 1}, wherever it is cut`, () => {
      for (let length = 0; length < header.length; length++) assert.equal(parseProxyHeader(header.subarray(0, length)), undefined, `${length} bytes`)
    })
  }

  for (const [what, header] of BAD) {
    test(`takes ${what} for no header of version ${header[0] === 0x0d ? 2 : 1}`, () => {
      assert.equal(parseProxyHeader(header), null)
    })
  }

  test('any bytes: a header, none or more, never a throw; what is decided does not change as more comes', () => {
    const mutated = fc
      .tuple(
        fc.constantFrom(...GOOD.map(([, header]) => header), ...BAD.map(([, header]) => header)),
        fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 4 }),
      )
      .map(([header, changes]) => {
        const bytes = Buffer.from(header)
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        return bytes
      })
    const signed = fc.uint8Array({ maxLength: 400 }).map((rest) => Buffer.concat([v2(''), rest]))
    const lines = fc.string({ unit: 'grapheme', maxLength: 130 }).map((text) => Buffer.from(`PROXY ${text}\r\n`))
    const anything = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes))
    fc.assert(
      fc.property(fc.oneof(mutated, signed, lines, anything), fc.nat(400), (bytes, cut) => {
        const whole = parseProxyHeader(bytes)
        const part = parseProxyHeader(bytes.subarray(0, cut))
        if (part !== undefined) assert.deepEqual(part, whole)
        if (whole === undefined) assert.ok(bytes.length < MAX_HEADER_BYTES)
        if (whole) assert.ok(whole.length <= bytes.length && whole.length <= MAX_HEADER_BYTES)
      }),
      { numRuns },
    )
  })
})
