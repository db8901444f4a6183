import type { Config, PortConfig } from '../config/schema.ts'

// In a project of its own npx finds the program; in this repository it has to be named.
const COMMAND = import.meta.url.includes('/node_modules/') ? 'npx polyport' : 'node dist/bin.js'

/** The table that a start prints: every port with a line to try it by. */
export function startupTable(config: Config, addresses: ReadonlyMap<string, string>, admin: string | undefined): string {
  const rows = config.ports.flatMap((port) => rowsOf(port, addresses.get(port.name) ?? ''))
  if (admin !== undefined) rows.push(['admin', 'http', admin, `curl http://${admin}/metrics`])
  const header = ['PORT', 'PROTOCOL', 'ADDRESS', 'TRY']
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd()
  return ['', line(header), ...rows.map(line), ''].join('\n')
}

function rowsOf(port: PortConfig, address: string): string[][] {
  const rows = [
    [port.name, port.tls === undefined ? port.protocol : `${port.protocol}, tls`, address, port.path === undefined ? tryAddress(port, address) : tryPath(port)],
  ]
  if (port.websocket !== undefined && port.path === undefined) {
    rows.push([
      '',
      'websocket',
      `${address}${port.websocket.path}`,
      `${COMMAND} connect ${port.tls === undefined ? 'ws' : 'wss'}://${reachable(address)}${port.websocket.path}`,
    ])
  }
  return rows
}

function tryAddress(port: PortConfig, address: string): string {
  const target = reachable(address)
  const colon = target.lastIndexOf(':')
  const host = target.slice(0, colon).replace(/^\[|\]$/g, '')
  const number = target.slice(colon + 1)
  if (port.protocol === 'udp') return `echo hi | nc -u -w1 ${host} ${number}`
  const secure = port.tls === undefined ? '' : 's'
  if (port.protocol === 'http') return `curl http${secure}://${target}/`
  if (port.protocol === 'websocket') return `${COMMAND} connect ws${secure}://${target}/`
  if (port.tls !== undefined) return `${COMMAND} connect tls://${target}`
  return port.protocol === 'tcp' && port.framing?.type === 'eof' ? `telnet ${host} ${number}` : `nc ${host} ${number}`
}

function tryPath(port: PortConfig): string {
  if (port.protocol === 'udp') return `echo hi | socat - UNIX-SENDTO:${port.path}`
  const secure = port.tls === undefined ? '' : 's'
  if (port.protocol === 'http') return `curl --unix-socket ${port.path} http${secure}://localhost/`
  if (port.protocol === 'websocket') return `curl -i --unix-socket ${port.path} http${secure}://localhost/`
  return port.tls === undefined ? `nc -U ${port.path}` : `openssl s_client -quiet -unix ${port.path}`
}

/** An address that listens everywhere is reached here by loopback. */
function reachable(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')
}
