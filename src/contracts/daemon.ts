import type { Registry } from 'prom-client'
import type { Agent } from 'undici'
import type { CloseFrame } from './close-frame.ts'
import type { ConnectionInfo, Message } from './connection.ts'
import type { Processes } from './custom-process.ts'
import type { Events } from './event.ts'
import type { Logger } from './logger.ts'
import type { Counter, Tables } from './table.ts'
import type { Tasks } from './task.ts'
import type { Workers } from './workers.ts'

/** A port as the process at hand knows it. */
export interface PortInfo {
  readonly name: string
  readonly protocol: 'tcp' | 'udp' | 'http' | 'websocket' | 'stream'
  /** `127.0.0.1:5291`, `[::1]:5291` or the path of a unix socket. */
  readonly address: string
  /** Connections that this process holds on the port; 0 for UDP, and where no port is open. */
  readonly connections: number
}

/** What a process of the daemon is there for. */
export type ProcessRole = 'worker' | 'task' | 'timer' | 'process'

/** What the daemon is doing, over all workers. */
export interface DaemonStats {
  readonly connections: number
  readonly users: number
  readonly groups: number
  readonly tables: Readonly<Record<string, { rows: number; size: number }>>
}

/**
 * Everything that a handler can do beyond its own connection: `this.daemon`. Works for every connection of every worker.
 * An fd that is no number, a user or group that is no string, and an option that there is not, are a TypeError.
 */
export interface Daemon {
  readonly name: string
  readonly version: string
  /** The process that this code runs in. `slot` counts from 0 among those of one role. */
  readonly worker: { readonly slot: number; readonly pid: number; readonly role: ProcessRole }
  readonly log: Logger
  readonly ports: readonly PortInfo[]
  readonly tables: Tables
  /** The custom processes of the config that are enabled, by name. */
  readonly processes: Processes
  /** Messages to the workers. */
  readonly workers: Workers
  /** Work for the task workers. */
  readonly tasks: Tasks
  /** What has happened, for whoever listens: see `events` of the config. */
  readonly events: Events
  /** An undici Agent that all handlers of this worker share. */
  readonly http: Agent
  /** A prom-client registry: what is registered here appears on the admin port's `/metrics`, summed over all workers. */
  readonly metrics: Registry

  /**
   * Sends one message to any connection, framed as its port frames.
   * @returns whether it was accepted for delivery: false for an fd that is not there or whose send buffer is full
   */
  send(fd: number, message: Message): boolean
  /**
   * Closes any connection, behind what was sent and `last`. Returns false for an fd that is not there.
   * @param frame on a WebSocket, the code and reason that the client is told
   * @throws RangeError for a code or reason that may not be sent
   */
  close(fd: number, last?: Message, frame?: CloseFrame): boolean
  /** Whether a connection of this number is open, in whatever worker. */
  exists(fd: number): boolean
  /** What is known of a connection; undefined for an fd that is not there. */
  info(fd: number): ConnectionInfo | undefined
  /**
   * Sends a datagram from a UDP port.
   * @param to an IPv4 or IPv6 address: names are not looked up. On a unix datagram socket a path
   * @throws UnknownPortError when there is no UDP port of that name
   */
  sendTo(port: string, to: { address: string; port: number }, data: Message): void
  /**
   * Every connection of every worker that fits all of the filter.
   * @throws UnknownPortError when there is no port of that name
   */
  connections(filter?: { port?: string; group?: string; uid?: string }): IterableIterator<ConnectionInfo>

  /**
   * Makes any connection one of user `uid`. Returns false for an fd that is not there.
   * @throws RangeError for a uid that is empty, longer than 400 bytes or not well-formed
   */
  bind(fd: number, uid: string): boolean
  /** Makes it nobody's again. Returns false for an fd that is not there. */
  unbind(fd: number): boolean
  /** Sends to every connection of a user and returns how many accepted it. */
  sendToUser(uid: string, message: Message): number
  /** Whether a user has a connection. */
  isOnline(uid: string): boolean
  /** The connections of a user. */
  fdsOf(uid: string): number[]

  /**
   * Makes any connection a member of a group. Returns false for an fd that is not there.
   * @throws RangeError for a name that is empty, longer than 400 bytes or not well-formed
   */
  join(fd: number, group: string): boolean
  /** Ends its membership. Returns false for an fd that is not there. */
  leave(fd: number, group: string): boolean
  /** Sends to every connection of a group, on whatever worker and protocol, but those in `except`. */
  publish(group: string, message: Message, options?: { except?: number | readonly number[] }): void
  /**
   * Sends to every connection, or to those of one port.
   * @throws UnknownPortError when there is no port of that name
   */
  broadcast(message: Message, options?: { port?: string }): void
  /** The groups that have a member, by name. */
  groups(): string[]

  /**
   * An atomic integer that all processes of the daemon share; 0 until somebody adds to it.
   * @throws RangeError for a name that is empty, longer than 400 bytes or not well-formed
   */
  counter(name: string): Counter
  /** How many there are of what, now. */
  stats(): DaemonStats
  /**
   * Reloads the whole daemon, as `polyport reload` does. Resolves when it has been asked for: the worker that asks is replaced, too.
   * @throws Error where the daemon runs inside the caller's process
   */
  reload(): Promise<void>
  /** Stops the whole daemon, as `polyport stop` does. Where the daemon runs inside the caller's process, resolves when it has. */
  stop(): Promise<void>
}
