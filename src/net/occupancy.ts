import type { Socket } from 'node:net'
import type { Logger } from '../contracts/logger.ts'
import type { ConnectionLimits, OverLimit, Ticket } from '../shared/connection-counts.ts'
import { plainAddress } from './address.ts'
import type { AddressList } from './address-list.ts'
import { networkOf } from './network.ts'

/** The counts that all workers share, as far as this layer needs them. */
export interface SharedCounts {
  enter(port: string, network: string | undefined, limits: ConnectionLimits): OverLimit | undefined
  leave(port: string, ticket: Ticket): void
  takeOver(port: string, from: { readonly owner: number; readonly ticket: Ticket }, ticket: Ticket): void
}

export interface OccupancyParts {
  readonly port: string
  readonly limits: ConnectionLimits
  readonly counts: SharedCounts
  readonly log: Logger
  /** Their connections are many clients': each counts when it is known which. */
  readonly trustedProxies: AddressList | undefined
}

const UNCOUNTED: Ticket = { isInTotal: false, network: undefined }

/** How many connections a port has of its limits, over all workers: each of its sockets has a ticket that says what it counts for. */
export class Occupancy {
  readonly #parts: OccupancyParts
  readonly #isLimited: boolean
  readonly #tickets = new Map<Socket, Ticket>()

  constructor(parts: OccupancyParts) {
    const { maxConnections, maxConnectionsPerIp, connectionsPerSecondPerIp } = parts.limits
    this.#parts = parts
    this.#isLimited = maxConnections !== undefined || maxConnectionsPerIp !== undefined || connectionsPerSecondPerIp !== undefined
  }

  /** Counts a client in; or says which limit is reached. */
  admit(address: string): OverLimit | undefined {
    if (!this.#isLimited) return undefined
    return this.#enter(this.#networkOf(address), this.#parts.limits)
  }

  /** The socket of a client that has been counted in. */
  hold(socket: Socket, address: string): void {
    if (!this.#isLimited) return
    this.#keep(socket, this.#ticketFor(address))
  }

  /** A trusted proxy has said whose connection this is: it counts as one of that address, if there is room. */
  admitForwarded(socket: Socket, address: string): OverLimit | undefined {
    const { limits, trustedProxies } = this.#parts
    const { maxConnectionsPerIp, connectionsPerSecondPerIp } = limits
    if (maxConnectionsPerIp === undefined && connectionsPerSecondPerIp === undefined) return undefined
    // Anybody else counts for the address that it came from.
    if (trustedProxies?.has(plainAddress(socket.remoteAddress ?? '')) !== true) return undefined
    const ticket = this.#tickets.get(socket) ?? UNCOUNTED
    const network = this.#networkOf(address)
    const over = this.#enter(network, { maxConnectionsPerIp, connectionsPerSecondPerIp })
    if (over === undefined && maxConnectionsPerIp !== undefined) this.#keep(socket, { ...ticket, network })
    return over
  }

  /** What goes along when the socket moves to another worker. */
  ticketOf(socket: Socket): Ticket | undefined {
    return this.#tickets.get(socket)
  }

  released(socket: Socket): void {
    const ticket = this.#take(socket)
    if (ticket === undefined) return
    const { port, counts, log } = this.#parts
    try {
      counts.leave(port, ticket)
    } catch (error) {
      log.error({ err: error, port }, 'Shared memory cannot be written: a closed connection counts until its worker ends')
    }
  }

  /** The socket moves to another worker, which takes its count over. */
  letGo(socket: Socket): void {
    this.#take(socket)
  }

  /** A socket comes from another worker, where other limits may have been in force. It stays, also where it cannot be counted. */
  takeOver(socket: Socket, from: { readonly owner: number; readonly ticket: Ticket | undefined }, address: string): void {
    const wanted = this.#ticketFor(address)
    const { owner, ticket = UNCOUNTED } = from
    const { port, counts, log } = this.#parts
    try {
      if (isCounted(ticket) || isCounted(wanted)) counts.takeOver(port, { owner, ticket }, wanted)
      this.#keep(socket, wanted)
    } catch (error) {
      log.error({ err: error, port }, 'Shared memory cannot be written: a connection that was handed over counts only until its old worker ends')
    }
  }

  /** TLS: the client goes on by another socket. */
  replace(old: Socket, socket: Socket): void {
    const ticket = this.#take(old)
    if (ticket !== undefined) this.#keep(socket, ticket)
  }

  /** Where nobody can be counted there is no room for anybody. */
  #enter(network: string | undefined, limits: ConnectionLimits): OverLimit | undefined {
    const { port, counts, log } = this.#parts
    try {
      return counts.enter(port, network, limits)
    } catch (error) {
      log.error({ err: error, port }, 'Connection refused: shared memory cannot be written')
      return 'max_connections'
    }
  }

  #ticketFor(address: string): Ticket {
    const { maxConnections, maxConnectionsPerIp } = this.#parts.limits
    return { isInTotal: maxConnections !== undefined, network: maxConnectionsPerIp === undefined ? undefined : this.#networkOf(address) }
  }

  #networkOf(address: string): string | undefined {
    return address === '' || this.#parts.trustedProxies?.has(address) === true ? undefined : networkOf(address)
  }

  #keep(socket: Socket, ticket: Ticket): void {
    if (isCounted(ticket)) this.#tickets.set(socket, ticket)
  }

  #take(socket: Socket): Ticket | undefined {
    if (this.#tickets.size === 0) return undefined
    const ticket = this.#tickets.get(socket)
    this.#tickets.delete(socket)
    return ticket
  }
}

function isCounted({ isInTotal, network }: Ticket): boolean {
  return isInTotal || network !== undefined
}
