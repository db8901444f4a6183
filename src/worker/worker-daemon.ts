import { createRequire } from 'node:module'
import type { Registry } from 'prom-client'
import type { Agent } from 'undici'
import { checkDestination, checkFd, checkName, checkOptions, exceptOf } from '../arguments.ts'
import type { CloseFrame } from '../contracts/close-frame.ts'
import type { ConnectionInfo, Message } from '../contracts/connection.ts'
import type { Processes } from '../contracts/custom-process.ts'
import type { Daemon, DaemonStats, PortInfo } from '../contracts/daemon.ts'
import type { Events } from '../contracts/event.ts'
import type { Logger } from '../contracts/logger.ts'
import type { Counter, Tables } from '../contracts/table.ts'
import type { Tasks } from '../contracts/task.ts'
import type { Workers } from '../contracts/workers.ts'
import { UnknownPortError } from '../errors.ts'
import { checkMessage } from '../framing/message-length.ts'
import type { BusMessage, BusOrigin, Place } from '../ipc/messages.ts'
import { checkCloseFrame } from '../net/close-frame.ts'
import type { SocketConnection } from '../net/connection.ts'
import type { Connections } from '../net/connections.ts'
import { MAX_NAME_BYTES } from '../shared/name.ts'
import type { Registry as ConnectionRegistry } from '../shared/registry.ts'
import { shows } from '../shows.ts'

/** The bus, as far as the daemon object needs it. */
export interface WorkerBus {
  send(owner: number, message: BusMessage): boolean
  sendToAll(message: BusMessage): void
}

export interface WorkerDaemonParts {
  readonly name: string
  readonly version: string
  readonly place: Place
  readonly log: Logger
  readonly connections: Connections
  readonly registry: ConnectionRegistry
  readonly bus: WorkerBus
  readonly tables: Tables
  readonly processes: Processes
  readonly workers: Workers
  readonly tasks: Tasks
  readonly events: Events
  readonly ports: () => readonly PortInfo[]
  readonly metrics: () => Registry
  readonly counter: (name: string) => Counter
  readonly tableStats: () => DaemonStats['tables']
  readonly sendTo: (port: string, to: { address: string; port: number }, data: Message) => boolean
  readonly reload: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** The daemon object of one process: its own connections at first hand, all others over the registry and the bus. */
export class WorkerDaemon implements Daemon {
  static {
    shows(WorkerDaemon, 'Daemon', ['name', 'version', 'worker', 'ports', 'tables', 'processes'])
  }

  readonly name: string
  readonly version: string
  readonly worker: Daemon['worker']
  readonly log: Logger
  readonly tables: Tables
  readonly processes: Processes
  readonly workers: Workers
  readonly tasks: Tasks
  readonly events: Events
  readonly #parts: WorkerDaemonParts
  #agent: Agent | undefined

  constructor(parts: WorkerDaemonParts) {
    this.name = parts.name
    this.version = parts.version
    const { role, index } = parts.place
    // The process that holds the tasks runs nobody's code.
    this.worker = { slot: index, pid: process.pid, role: role === 'queue' ? 'task' : role }
    this.log = parts.log
    this.tables = parts.tables
    this.processes = parts.processes
    this.workers = parts.workers
    this.tasks = parts.tasks
    this.events = parts.events
    this.#parts = parts
  }

  get ports(): readonly PortInfo[] {
    return this.#parts.ports()
  }

  get http(): Agent {
    this.#agent ??= newAgent()
    return this.#agent
  }

  get metrics(): Registry {
    return this.#parts.metrics()
  }

  send(fd: number, message: Message): boolean {
    checkMessage(message)
    const connection = this.#parts.connections.get(fd)
    if (connection === undefined) checkFd(fd)
    return connection === undefined ? this.#pass({ ...NOTHING, kind: 'send', fd, payload: message }) : connection.send(message)
  }

  close(fd: number, last?: Message, frame?: CloseFrame): boolean {
    checkFd(fd)
    if (last !== undefined) checkMessage(last)
    const connection = this.#parts.connections.get(fd)
    const name = frame === undefined ? '' : JSON.stringify(checkCloseFrame(frame))
    if (connection === undefined) return this.#pass({ ...NOTHING, kind: 'close', fd, name, payload: last })
    connection.close(last, frame)
    return true
  }

  exists(fd: number): boolean {
    checkFd(fd)
    return this.#parts.registry.ownerOf(fd) !== undefined
  }

  info(fd: number): ConnectionInfo | undefined {
    checkFd(fd)
    return this.#parts.registry.get(fd)
  }

  sendTo(port: string, to: { address: string; port: number }, data: Message): void {
    checkMessage(data)
    checkDestination(to, () => this.ports.some((known) => known.name === port && known.address.startsWith('/')))
    if (!this.#parts.sendTo(port, to, data)) throw new UnknownPortError(`Cannot send a datagram from port "${port}": the config has no udp port of that name`)
  }

  connections(filter: { port?: string; group?: string; uid?: string } = {}): IterableIterator<ConnectionInfo> {
    checkOptions('look for connections', filter, ['port', 'group', 'uid'])
    const { port, group, uid } = filter
    if (port !== undefined) this.#checkPort(port, 'look for connections of')
    if (group !== undefined) checkName('group', group)
    if (uid !== undefined) checkName('user', uid)
    return this.#parts.registry.connections(filter)
  }

  bind(fd: number, uid: string): boolean {
    checkFd(fd)
    const { connections, registry } = this.#parts
    const connection = connections.get(fd)
    if (connection === undefined) return registry.bind(fd, uid) && this.#pass({ ...NOTHING, kind: 'bind', fd, name: uid })
    connection.bind(uid)
    return true
  }

  unbind(fd: number): boolean {
    checkFd(fd)
    const { connections, registry } = this.#parts
    if (!registry.unbind(fd)) return false
    const connection = connections.get(fd)
    if (connection === undefined) return this.#pass({ ...NOTHING, kind: 'unbind', fd })
    connections.bind(connection, undefined)
    return true
  }

  sendToUser(uid: string, message: Message): number {
    checkName('user', uid)
    checkMessage(message)
    let accepted = 0
    for (const fd of this.#parts.registry.fdsOf(uid)) if (this.send(fd, message)) accepted++
    return accepted
  }

  isOnline(uid: string): boolean {
    checkName('user', uid)
    return this.#parts.registry.isOnline(uid)
  }

  fdsOf(uid: string): number[] {
    checkName('user', uid)
    return this.#parts.registry.fdsOf(uid)
  }

  join(fd: number, group: string): boolean {
    checkFd(fd)
    const { connections, registry } = this.#parts
    const connection = connections.get(fd)
    if (connection === undefined) return registry.join(fd, group) && this.#pass({ ...NOTHING, kind: 'join', fd, name: group })
    connection.join(group)
    return true
  }

  leave(fd: number, group: string): boolean {
    checkFd(fd)
    checkName('group', group)
    const { connections, registry } = this.#parts
    const connection = connections.get(fd)
    if (connection === undefined) return registry.leave(fd, group) && this.#pass({ ...NOTHING, kind: 'leave', fd, name: group })
    connection.leave(group)
    return true
  }

  publish(group: string, message: Message, options?: { except?: number | readonly number[] }): void {
    checkName('group', group)
    checkMessage(message)
    const except = exceptOf(options)
    // Nobody can be in it; and a message of the bus has room for no name of any length.
    if (group.length > MAX_NAME_BYTES) return
    this.#parts.connections.publish(group, message, except)
    this.#parts.bus.sendToAll({ ...NOTHING, kind: 'publish', name: group, except, payload: message })
  }

  broadcast(message: Message, options: { port?: string } = {}): void {
    checkOptions('broadcast', options, ['port'])
    const { port } = options
    if (port !== undefined) this.#checkPort(port, 'broadcast to')
    checkMessage(message)
    this.#parts.connections.broadcast(message, port, [])
    this.#parts.bus.sendToAll({ ...NOTHING, kind: 'broadcast', name: port ?? '', payload: message })
  }

  groups(): string[] {
    return this.#parts.registry.groups()
  }

  counter(name: string): Counter {
    return this.#parts.counter(name)
  }

  stats(): DaemonStats {
    return { ...this.#parts.registry.counts(), tables: this.#parts.tableStats() }
  }

  reload(): Promise<void> {
    return this.#parts.reload()
  }

  stop(): Promise<void> {
    return this.#parts.stop()
  }

  /** What another worker asks of this one's connections. The registry is written already. */
  receive(message: BusMessage, origin: BusOrigin): void {
    const { connections } = this.#parts
    const had = connections.whoHad(origin.owner, origin.sequence)
    const except = had.length === 0 ? message.except : [...message.except, ...had]
    const payload = message.payload ?? ''
    if (message.kind === 'publish') return connections.publish(message.name, payload, except)
    if (message.kind === 'broadcast') return connections.broadcast(payload, message.name === '' ? undefined : message.name, except)
    const connection = connections.get(message.fd)
    // It has closed since, or comes yet, in a hand-over: nothing is left to do here.
    if (connection !== undefined && !had.includes(message.fd)) this.#apply(connection, message)
  }

  /** Gives a message of the bus to one connection, if it is meant for it. */
  replay(connection: SocketConnection, message: BusMessage): void {
    const { kind, name, fd, except } = message
    if (kind === 'publish') {
      if (connection.groups?.has(name) === true && !except.includes(connection.fd)) this.#apply(connection, { ...message, kind: 'send' })
    } else if (kind === 'broadcast') {
      if (name === '' || name === connection.port) this.#apply(connection, { ...message, kind: 'send' })
    } else if (fd === connection.fd) this.#apply(connection, message)
  }

  #apply(connection: SocketConnection, { kind, name, payload }: BusMessage): void {
    const { connections } = this.#parts
    try {
      if (kind === 'send') connection.send(payload ?? '')
      // Checked where it was sent.
      else if (kind === 'close') connection.close(payload, name === '' ? undefined : (JSON.parse(name) as CloseFrame))
    } catch (error) {
      // Only here is it known how the port frames, and who sent it has gone on.
      connection.cannotFrame(error)
    }
    if (kind === 'join') connections.joined(connection, name)
    else if (kind === 'leave') connections.left(connection, name)
    else if (kind === 'bind') connection.user = name
    else if (kind === 'unbind') connection.user = undefined
  }

  /** Ends what this object holds open. */
  async release(): Promise<void> {
    await this.#agent?.destroy()
  }

  #checkPort(name: string, action: string): void {
    if (this.ports.some((port) => port.name === name)) return
    throw new UnknownPortError(`Cannot ${action} port "${name}": the config has no port of that name`)
  }

  /** To the worker that owns the connection; false when nobody does. */
  #pass(message: BusMessage): boolean {
    const owner = this.#parts.registry.ownerOf(message.fd)
    return owner !== undefined && this.#parts.bus.send(owner, message)
  }
}

/** Loaded on first use: it costs a worker megabytes that most never need. */
function newAgent(): Agent {
  const undici = createRequire(import.meta.url)('undici') as typeof import('undici')
  return new undici.Agent()
}

const NOTHING = { fd: 0, name: '', except: [], payload: undefined }
