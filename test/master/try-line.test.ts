import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { describe, test } from 'node:test'
import { resolveConfig } from '../../src/config/load-config.ts'
import type { ConfigInput } from '../../src/config/schema.ts'
import { tryAdmin, tryLine } from '../../src/master/try-line.ts'
import { makeCertificate } from '../certificates.ts'
import { DaemonProcess } from '../daemon-process.ts'
import { program } from '../protocols/example-daemon.ts'

type Port = ConfigInput['ports'][number]

const HANDLER = './echo.js'
const BIN = 'node dist/bin.js'

/** What would be printed in the root of the repository. */
function lineOf(port: Partial<Port>, address: string): string {
  const { ports } = resolveConfig({ ports: [{ protocol: 'tcp', handler: HANDLER, ...(port.path === undefined && { port: 1 }), ...port }] })
  return tryLine(ports[0] as (typeof ports)[number], address)
}

describe('tryLine()', () => {
  const LINES: readonly [Partial<Port>, address: string, expected: string][] = [
    [{}, '127.0.0.1:1', 'telnet 127.0.0.1 1'],
    [{}, '[::]:1', 'telnet ::1 1'],
    [{ framing: { type: 'eof', eof: '\n' } }, '0.0.0.0:1', 'telnet 127.0.0.1 1'],
    [{ framing: { type: 'eof', eof: "'\\x00\n" } }, '[::1]:1', `${BIN} connect tcp://[::1]:1 --eof='\\x27\\x00\\x0a'`],
    [{ framing: { type: 'length', field: 'u16be' } }, '127.0.0.1:1', "printf '\\0\\2hi' | nc -w1 127.0.0.1 1"],
    [{ framing: { type: 'length', field: 'u32le', bodyOffset: 0 } }, '127.0.0.1:1', "printf '\\6\\0\\0\\0hi' | nc -w1 127.0.0.1 1"],
    [{ framing: { type: 'length', field: 'u8', offset: 2 } }, '127.0.0.1:1', 'nc 127.0.0.1 1'],
    [{ framing: { type: 'raw' } }, '127.0.0.1:1', 'nc 127.0.0.1 1'],
    [{ path: '/x.sock' }, '/x.sock', `${BIN} connect unix:/x.sock`],
    [{ path: '/x.sock', framing: { type: 'eof', eof: '\n' } }, '/x.sock', `${BIN} connect unix:/x.sock --eof='\\x0a'`],
    [{ path: '/x.sock', framing: { type: 'raw' } }, '/x.sock', 'nc -U /x.sock'],
    [{ proxyProtocol: ['127.0.0.1'] }, '127.0.0.1:1', "printf 'PROXY UNKNOWN\\r\\nhi\\r\\n' | nc -w1 127.0.0.1 1"],
    [{ proxyProtocol: ['10.0.0.0/8'] }, '127.0.0.1:1', 'telnet 127.0.0.1 1'],
    [{ proxyProtocol: ['::/0'], framing: { type: 'raw' } }, '[::1]:1', "(printf 'PROXY UNKNOWN\\r\\n'; cat) | nc ::1 1"],
    [
      { proxyProtocol: ['unix'], path: '/x.sock', framing: { type: 'eof', eof: "%'\n" } },
      '/x.sock',
      "printf 'PROXY UNKNOWN\\r\\nhi\\045\\047\\n' | nc -w1 -U /x.sock",
    ],
    [{ proxyProtocol: ['127.0.0.1'], protocol: 'http' }, '0.0.0.0:1', 'curl http://127.0.0.1:1/ --haproxy-protocol'],
    [{ proxyProtocol: ['127.0.0.1'], protocol: 'websocket' }, '127.0.0.1:1', 'curl -i http://127.0.0.1:1/ --haproxy-protocol'],
    [{ protocol: 'stream' }, '127.0.0.1:1', 'nc 127.0.0.1 1'],
    [{ protocol: 'udp' }, '[::1]:1', 'echo hi | nc -u -w1 ::1 1'],
    [{ protocol: 'http' }, '0.0.0.0:1', 'curl http://127.0.0.1:1/'],
    [{ protocol: 'websocket' }, '127.0.0.1:1', `${BIN} connect ws://127.0.0.1:1/`],
  ]

  for (const [port, address, expected] of LINES) test(expected, () => assert.equal(lineOf(port, address), expected))
})

const ECHO = `import { TcpHandler } from 'polyport'
export default class Echo extends TcpHandler { onReceive(connection, message) { connection.send(message) } }
`

test('the lines of the start-up table bring an answer', { skip: program('nc') === undefined && 'nc is not installed' }, async (t) => {
  const framings: Record<string, Port['framing']> = {
    mark: { type: 'eof', eof: '--E\\x00\n' },
    'u8-field': { type: 'length', field: 'u8' },
    'u16-field': { type: 'length', field: 'u16le' },
    'u32-field': { type: 'length', field: 'u32be', bodyOffset: 0 },
  }
  const ports = Object.entries(framings).flatMap(([name, framing]) => [
    { name, protocol: 'tcp', port: 0, handler: HANDLER, framing },
    { name: `${name}-unix`, protocol: 'tcp', path: `./${name}.sock`, handler: HANDLER, framing },
    { name: `${name}-proxy`, protocol: 'tcp', port: 0, handler: HANDLER, framing, proxyProtocol: ['127.0.0.1'] },
  ])
  const daemon = await DaemonProcess.start(
    t,
    { ports: [...ports, { name: 'line', protocol: 'tcp', path: './line.sock', handler: HANDLER }] },
    { files: { 'echo.js': ECHO } },
  )

  for (const { name } of [...ports, { name: 'line' }]) {
    const row = await daemon.line(new RegExp(`^ {2}${name} `))
    const command = row.split(/ {2,}/).at(-1) ?? ''
    const output = await outputOf(command)
    assert.match(output, /hi/, `${name}: ${command}`)
  }
})

const TLS_HANDLERS = {
  // openssl goes on until the other side closes.
  'once.js': `import { TcpHandler } from 'polyport'
export default class Once extends TcpHandler { onReceive(connection, message) { connection.close(message) } }
`,
  'words.js': `import { WebSocketHandler } from 'polyport'
export default class Words extends WebSocketHandler { onMessage(connection, message) { connection.close(message) } }
`,
}

test('so do those of ports with TLS, though nobody knows the certificate', {
  skip: program('openssl') === undefined && 'openssl is not installed',
}, async (t) => {
  const { cert, key } = makeCertificate({ name: 'localhost', names: ['127.0.0.1'] })
  const framings: Record<string, Port['framing']> = {
    line: { type: 'eof', eof: '\r\n' },
    feed: { type: 'eof', eof: '\n' },
    field: { type: 'length', field: 'u16be' },
  }
  const tls = { cert, key }
  const tcp = Object.entries(framings).map(([name, framing]) => ({ name, protocol: 'tcp', port: 0, handler: './once.js', framing, tls }))
  const ports = [...tcp, { name: 'words', protocol: 'websocket', port: 0, handler: './words.js', tls }]
  const daemon = await DaemonProcess.start(t, { ports }, { files: TLS_HANDLERS })

  for (const { name } of ports) {
    const row = await daemon.line(new RegExp(`^ {2}${name} `))
    const command = row.split(/ {2,}/).at(-1) ?? ''
    assert.match(await outputOf(command), /hi/, `${name}: ${command}`)
  }
})

test('the line of the admin port reaches it, also as a unix socket, and asks for the token', () => {
  assert.equal(tryAdmin('127.0.0.1:5299', false), 'curl http://127.0.0.1:5299/metrics')
  assert.equal(tryAdmin('0.0.0.0:5299', true), 'curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:5299/metrics')
  assert.equal(tryAdmin('/run/admin.sock', false), 'curl --unix-socket /run/admin.sock http://localhost/metrics')
})

async function outputOf(command: string): Promise<string> {
  const child = spawn('sh', ['-c', command], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => {})
  child.stdin.end('hi\n')
  let output = ''
  for await (const chunk of child.stdout) output += String(chunk)
  return output
}
