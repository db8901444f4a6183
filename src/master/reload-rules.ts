import { isIPv6 } from 'node:net'
import type { Config, PortConfig } from '../config/schema.ts'
import { formatAddress } from '../net/address.ts'

/** What is fixed when the daemon starts: where it is, who may talk to it, how connections are spread. */
const FIXED = ['name', 'user', 'group', 'runtimeDir', 'dataDir', 'dispatch', 'admin'] as const

/** What a reload cannot change, each as a sentence. Empty when the new config can take the place of the old one. */
export function unchangeable(old: Config, next: Config): string[] {
  const found: string[] = FIXED.filter((key) => differ(old[key], next[key])).map((key) => `${key} has changed: this needs a restart`)
  for (const [name, table] of Object.entries(old.tables)) {
    const now = next.tables[name]
    if (now === undefined) found.push(`tables.${name} has been removed: this needs a restart`)
    else if (differ(table, now)) found.push(`tables.${name} has changed: this needs a restart; a new table can be added without one`)
  }
  // The process that holds the tasks lives over reloads.
  for (const key of ['dataDir', 'maxQueued', 'maxFailed'] as const) {
    const isKept = old.tasks !== undefined && next.tasks !== undefined
    if (isKept && old.tasks?.[key] !== next.tasks?.[key]) found.push(`tasks.${key} has changed: this needs a restart`)
  }
  const isSystemSocket = ({ path, protocol }: Config['ports'][number]): boolean => path !== undefined && protocol === 'udp'
  for (const port of next.ports.filter(isSystemSocket)) {
    const before = old.ports.find(({ name }) => name === port.name)
    if (before !== undefined && !isSystemSocket(before))
      found.push(`port "${port.name}" has become a unix datagram socket: this needs a restart, or another name`)
  }
  for (const port of next.ports) {
    const taken = old.ports.find((other) => overlap(other, port))
    if (taken !== undefined)
      found.push(`port "${port.name}" cannot go from ${addressText(taken)} to ${addressText(port)} while that is open: this needs a restart`)
  }
  return found
}

/** The system refuses the one while the other is open: the same number on one address, and on all. */
function overlap(old: PortConfig, next: PortConfig): boolean {
  if (old.path !== undefined || next.path !== undefined || next.port === 0 || old.port !== next.port) return false
  return (old.protocol === 'udp') === (next.protocol === 'udp') && old.host !== next.host && (isIn(old.host, next.host) || isIn(next.host, old.host))
}

/** Whether an address is one of what the other stands for. */
function isIn(host: string, all: string): boolean {
  return all === '::' || (all === '0.0.0.0' && !isIPv6(host))
}

function addressText({ host, port }: PortConfig): string {
  return formatAddress({ host, port: port ?? 0 })
}

function differ(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) !== JSON.stringify(b)
}
