import type { Rows, Store } from './store.ts'

/** What is counted of one connection. */
export interface Ticket {
  /** Whether it is one of the port's. */
  readonly isInTotal: boolean
  /** Of which network it is one; none when these are not counted, or it has no address. */
  readonly network: string | undefined
}

/** A port's limits on its connections over all workers. */
export interface ConnectionLimits {
  readonly maxConnections?: number | undefined
  readonly maxConnectionsPerIp?: number | undefined
  readonly connectionsPerSecondPerIp?: number | undefined
}

export type OverLimit = 'max_connections' | 'max_connections_per_ip' | 'rate'

// An owner and its count, each u32.
const PAIR_BYTES = 8
const BATCH = 500
// Each connection adds a row to the rates at most, and takes up to so many away that are of no more use.
const SWEPT = 4

/**
 * How many connections each port, and each network on it, has over all workers, and how fast they come. Every count says how much of it is whose, so that
 * what a dead process has held can be taken out. Ports without such limits write nothing.
 */
export class ConnectionCounts {
  readonly #store: Store
  readonly #owner: number
  readonly #now: () => number
  /** port, NUL, network (none: the port itself) → owner and count, for each owner. */
  readonly #counts: Rows
  /** port, NUL, network → when all connections so far would have come at the rate (f64): the generic cell rate algorithm. */
  readonly #rates: Rows
  #sweptTo: Buffer = START

  /** @param now milliseconds on a clock that all processes share */
  constructor(store: Store, owner = 0, now: () => number = monotonicMs) {
    this.#store = store
    this.#owner = owner
    this.#now = now
    this.#counts = store.rows('connection counts')
    this.#rates = store.rows('connection rates')
  }

  /** Counts one connection more; or says which limit it would break. A limit that is not there is not counted for. */
  enter(port: string, network: string | undefined, limits: ConnectionLimits): OverLimit | undefined {
    // Most refusals need no lock: those of a flood must cost little.
    return this.#overLimit(port, network, limits) ?? this.#store.transaction(() => this.#enter(port, network, limits))
  }

  leave(port: string, ticket: Ticket): void {
    this.#store.transaction(() => this.#addAll(port, ticket, this.#owner, -1))
  }

  /** A connection that another process had is this one's from now on, and may count for something else. If that one has died, what it had is gone already. */
  takeOver(port: string, from: { readonly owner: number; readonly ticket: Ticket }, ticket: Ticket): void {
    this.#store.transaction(() => {
      this.#addAll(port, from.ticket, from.owner, -1)
      this.#addAll(port, ticket, this.#owner, 1)
    })
  }

  /** A process has died: its connections went with it. */
  purge(owner: number): void {
    let from: Buffer = START
    for (;;) {
      const rows = this.#counts.range(from, BATCH)
      const held = rows.filter(({ value }) => pairOf(value, owner) !== undefined)
      if (held.length > 0) this.#store.transaction(() => held.forEach(({ key }) => void this.#put(key, owner, 0)))
      const last = rows.at(-1)
      if (last === undefined || rows.length < BATCH) return
      from = behind(last.key)
    }
  }

  /** Rows that are kept, for tests: nothing is left behind by connections that are gone. */
  get numRows(): { counts: number; rates: number } {
    return { counts: this.#counts.count, rates: this.#rates.count }
  }

  #enter(port: string, network: string | undefined, limits: ConnectionLimits): OverLimit | undefined {
    const over = this.#overLimit(port, network, limits)
    if (over !== undefined) return over
    const isCounted = limits.maxConnectionsPerIp !== undefined
    this.#addAll(port, { isInTotal: limits.maxConnections !== undefined, network: isCounted ? network : undefined }, this.#owner, 1)
    if (network !== undefined && limits.connectionsPerSecondPerIp !== undefined) this.#note(keyOf(port, network), limits.connectionsPerSecondPerIp)
    return undefined
  }

  #overLimit(port: string, network: string | undefined, limits: ConnectionLimits): OverLimit | undefined {
    const { maxConnections, maxConnectionsPerIp, connectionsPerSecondPerIp: rate } = limits
    if (maxConnections !== undefined && sum(this.#counts.peek(keyOf(port, ''))) >= maxConnections) return 'max_connections'
    if (network === undefined) return undefined
    const key = keyOf(port, network)
    if (maxConnectionsPerIp !== undefined && sum(this.#counts.peek(key)) >= maxConnectionsPerIp) return 'max_connections_per_ip'
    // A second's worth may come at once.
    if (rate !== undefined && this.#ahead(key) > (Math.max(1, Math.ceil(rate)) - 1) * (1000 / rate) + ROUNDING_MS) return 'rate'
    return undefined
  }

  /** How many milliseconds too early the latest connection has come, at the rate. */
  #ahead(key: Buffer): number {
    return (this.#rates.peek(key)?.readDoubleLE(0) ?? 0) - this.#now()
  }

  #note(key: Buffer, rate: number): void {
    const value = Buffer.allocUnsafe(8)
    value.writeDoubleLE(this.#now() + Math.max(0, this.#ahead(key)) + 1000 / rate)
    this.#rates.put(key, value)
    this.#sweep()
  }

  /** Forgets networks that have been slow enough since: they are as good as new. */
  #sweep(): void {
    const now = this.#now()
    const rows = this.#rates.range(this.#sweptTo, SWEPT)
    for (const { key, value } of rows) if (value.readDoubleLE(0) <= now) this.#rates.delete(key)
    const last = rows.at(-1)
    this.#sweptTo = last === undefined || rows.length < SWEPT ? START : behind(last.key)
  }

  #addAll(port: string, { isInTotal, network }: Ticket, owner: number, by: number): void {
    if (isInTotal) this.#add(keyOf(port, ''), owner, by)
    if (network !== undefined) this.#add(keyOf(port, network), owner, by)
  }

  #add(key: Buffer, owner: number, by: number): void {
    const value = this.#counts.get(key)
    const at = value === undefined ? undefined : pairOf(value, owner)
    const count = (at === undefined ? 0 : (value?.readUInt32LE(at + 4) ?? 0)) + by
    this.#put(key, owner, Math.max(0, count))
  }

  /** Sets the count of one owner; 0 takes it out. */
  #put(key: Buffer, owner: number, count: number): void {
    const value = this.#counts.get(key) ?? NOTHING
    const at = pairOf(value, owner)
    const others = at === undefined ? value : Buffer.concat([value.subarray(0, at), value.subarray(at + PAIR_BYTES)])
    if (count > 0) this.#counts.put(key, Buffer.concat([others, pair(owner, count)]))
    else if (others.length > 0) this.#counts.put(key, others)
    else if (at !== undefined) this.#counts.delete(key)
  }
}

const START = Buffer.from([0])
const NOTHING = Buffer.alloc(0)
// Sums of fractions are a little off.
const ROUNDING_MS = 0.001

function keyOf(port: string, network: string): Buffer {
  return Buffer.from(`${port}\0${network}`)
}

function behind(key: Buffer): Buffer {
  return Buffer.concat([key, START])
}

function pair(owner: number, count: number): Buffer {
  const bytes = Buffer.allocUnsafe(PAIR_BYTES)
  bytes.writeUInt32LE(owner, 0)
  bytes.writeUInt32LE(count, 4)
  return bytes
}

/** Where in a row an owner's pair is. */
function pairOf(value: Buffer, owner: number): number | undefined {
  for (let at = 0; at < value.length; at += PAIR_BYTES) if (value.readUInt32LE(at) === owner) return at
  return undefined
}

function sum(value: Buffer | undefined): number {
  let total = 0
  for (let at = 0; at < (value?.length ?? 0); at += PAIR_BYTES) total += value?.readUInt32LE(at + 4) ?? 0
  return total
}

/** The same in all processes, and no clock that somebody sets. */
function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}
