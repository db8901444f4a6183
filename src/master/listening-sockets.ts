import dgram from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { isIP, isIPv6 } from 'node:net'
import type { PortConfig } from '../config/schema.ts'
import { BindError } from '../errors.ts'
import { addressOf, formatAddress } from '../net/address.ts'
import { bindError } from '../net/bind-error.ts'
import { bindStream, boundPort, type DatagramHandle, type StreamHandle, stopReceiving } from '../net/node-internals.ts'
import { applyOwnership, clearUnixPath } from '../net/unix-path.ts'

/** A bound port: what a worker needs to open it. */
export interface ListeningSocket {
  readonly config: PortConfig
  readonly address: string
  /** tcp, http, websocket, stream: one socket that all workers accept from. */
  readonly stream?: StreamHandle | undefined
  /** udp: one socket a slot, so that a peer stays with one worker. */
  readonly datagrams?: readonly { readonly socket: dgram.Socket; readonly handle: DatagramHandle }[] | undefined
}

/**
 * The kernel's sockets of all ports. The master owns them and never reads them: a connection that waits to be accepted, or a
 * datagram that waits to be read, is there for the next worker when one dies.
 */
export class ListeningSockets {
  #all: readonly ListeningSocket[] = []

  get all(): readonly ListeningSocket[] {
    return this.#all
  }

  /**
   * Binds every port, or none.
   * @throws BindError
   */
  static async open(ports: readonly PortConfig[], workers: number): Promise<ListeningSockets> {
    const sockets = new ListeningSockets()
    ;(await sockets.change(ports, workers)).keep()
    return sockets
  }

  /**
   * Binds what another list of ports needs and is not open yet. `keep` then closes what it does not need, `undo` what was bound.
   * @throws BindError, and all is as before
   */
  async change(ports: readonly PortConfig[], workers: number): Promise<{ readonly next: readonly ListeningSocket[]; keep(): void; undo(): void }> {
    const next: ListeningSocket[] = []
    const added: ListeningSocket[] = []
    const regiven: PortConfig[] = []
    const undo = (): void => {
      added.forEach(close)
      for (const config of regiven) void applyOwnership(config.path ?? '', config).catch(() => {})
    }
    try {
      for (const config of ports) {
        const open = this.#all.find((socket) => isSamePlace(socket, config))
        if (open?.stream !== undefined && config.path !== undefined && !isSameOwner(open.config, config)) {
          regiven.push(open.config)
          await applyOwnership(config.path, config)
        }
        const socket = open === undefined ? await bind(config, workers) : { ...open, config }
        if (open === undefined) added.push(socket)
        next.push(socket.datagrams === undefined ? socket : await withDatagrams(socket, workers, added))
      }
    } catch (error) {
      undo()
      throw error
    }
    const keep = (): void => {
      for (const old of this.#all) {
        const same = next.find(
          ({ stream, datagrams }) => (stream !== undefined && stream === old.stream) || (datagrams !== undefined && datagrams[0] === old.datagrams?.[0]),
        )
        if (same === undefined) close(old)
        else close({ ...old, stream: undefined, datagrams: old.datagrams?.slice(workers) })
      }
      this.#all = next
    }
    return { next, keep, undo }
  }

  close(): void {
    this.#all.forEach(close)
    this.#all = []
  }
}

function close({ stream, datagrams }: Pick<ListeningSocket, 'stream' | 'datagrams'>): void {
  // Also unlinks the path of a unix socket.
  stream?.close()
  // Not the socket: where a worker has closed the same handle before, in one process, dgram would use it again, which ends the process.
  for (const { handle } of datagrams ?? []) handle.close()
}

/** Whether a port of a new config can go on with this socket. One whose number the system chose is known by its name. */
function isSamePlace({ config: old }: ListeningSocket, config: PortConfig): boolean {
  if ((old.protocol === 'udp') !== (config.protocol === 'udp')) return false
  const place = ({ host, port, path }: PortConfig): string => JSON.stringify(path === undefined ? [host, port] : [path])
  return place(old) === place(config) && (config.path !== undefined || config.port !== 0 || old.name === config.name)
}

function isSameOwner(a: PortConfig, b: PortConfig): boolean {
  return a.mode === b.mode && a.owner === b.owner
}

/** A socket for each slot, when there are more of them now. */
async function withDatagrams(socket: ListeningSocket, workers: number, added: ListeningSocket[]): Promise<ListeningSocket> {
  const { config, datagrams = [] } = socket
  const bound = datagrams[0]?.socket.address()
  if (datagrams.length >= workers || bound === undefined) return { ...socket, datagrams: datagrams.slice(0, workers) }
  const more = await bindShared({ host: bound.address, port: bound.port }, workers - datagrams.length, `port "${config.name}"`)
  added.push({ config, address: socket.address, datagrams: more })
  return { ...socket, datagrams: [...datagrams, ...more] }
}

async function bind(config: PortConfig, workers: number): Promise<ListeningSocket> {
  const what = `port "${config.name}"`
  const address = addressOf(config)
  if ('path' in address) {
    await clearUnixPath(address.path, what)
    // Datagrams: the optional package binds it in the worker.
    if (config.protocol === 'udp') return { config, address: address.path }
    const stream = bindStream(address)
    if (typeof stream === 'number') throw bindError(what, address.path, stream)
    try {
      await applyOwnership(address.path, config)
    } catch (error) {
      stream.close()
      throw error
    }
    return { config, address: address.path, stream }
  }
  const host = await resolveHost(address.host, what)
  if (config.protocol === 'udp') return bindDatagrams(config, { host, port: address.port }, workers)
  const stream = bindStream({ host, port: address.port })
  if (typeof stream === 'number') throw bindError(what, formatAddress({ host, port: address.port }), stream)
  return { config, address: formatAddress({ host, port: boundPort(stream) }), stream }
}

async function resolveHost(host: string, what: string): Promise<string> {
  if (isIP(host) !== 0) return host
  try {
    return (await lookup(host)).address
  } catch (error) {
    throw new BindError(`Cannot open ${what} on ${host}: this name has no address; write an IP address or a name that resolves`, { cause: error })
  }
}

async function bindDatagrams(config: PortConfig, address: { host: string; port: number }, workers: number): Promise<ListeningSocket> {
  const what = `port "${config.name}"`
  const type = isIPv6(address.host) ? 'udp6' : 'udp4'
  // reusePort would share the port with another process of this user without a word: ask alone first.
  const probe = await bindDatagram(dgram.createSocket({ type }), address, what)
  const { port } = probe.address()
  await new Promise<void>((resolve) => probe.close(() => resolve()))
  const datagrams = await bindShared({ host: address.host, port }, workers, what)
  return { config, address: formatAddress({ host: address.host, port }), datagrams }
}

async function bindShared(address: { host: string; port: number }, count: number, what: string): Promise<{ socket: dgram.Socket; handle: DatagramHandle }[]> {
  const datagrams: { socket: dgram.Socket; handle: DatagramHandle }[] = []
  try {
    for (let i = 0; i < count; i++) {
      const socket = await bindDatagram(dgram.createSocket({ type: isIPv6(address.host) ? 'udp6' : 'udp4', reusePort: true }), address, what)
      datagrams.push({ socket, handle: stopReceiving(socket) })
    }
    return datagrams
  } catch (error) {
    // One that stays open, and that nobody reads, would take its share of the peers.
    close({ datagrams })
    throw error
  }
}

function bindDatagram(socket: dgram.Socket, address: { host: string; port: number }, what: string): Promise<dgram.Socket> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close()
      reject(bindError(what, formatAddress(address), error.errno ?? -1))
    })
    socket.bind(address.port, address.host, () => resolve(socket))
  })
}
