import type { Config, PortConfig } from '../config/schema.ts'
import { tryAdmin, tryLine, tryWebSocket } from './try-line.ts'

/** The table that a start prints: every port with a line to try it by. */
export function startupTable(config: Config, addresses: ReadonlyMap<string, string>, admin: string | undefined): string {
  const rows = config.ports.flatMap((port) => rowsOf(port, addresses.get(port.name) ?? ''))
  if (admin !== undefined) rows.push(['admin', 'http', admin, tryAdmin(admin, config.admin?.token !== undefined)])
  const header = ['PORT', 'PROTOCOL', 'ADDRESS', 'TRY']
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd()
  return ['', line(header), ...rows.map(line), ''].join('\n')
}

function rowsOf(port: PortConfig, address: string): string[][] {
  const rows = [[port.name, port.tls === undefined ? port.protocol : `${port.protocol}, tls`, address, tryLine(port, address)]]
  if (port.websocket !== undefined && port.path === undefined) {
    rows.push(['', 'websocket', `${address}${port.websocket.path}`, tryWebSocket(port, address, port.websocket.path)])
  }
  return rows
}
