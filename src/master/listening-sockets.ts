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
  readonly stream?: StreamHandle
  /** udp: one socket a slot, so that a peer stays with one worker. */
  readonly datagrams?: readonly { readonly socket: dgram.Socket; readonly handle: DatagramHandle }[]
}

/**
 * The kernel's sockets of all ports. The master owns them and never reads them: a connection that waits to be accepted, or a
 * datagram that waits to be read, is there for the next worker when one dies.
 */
export class ListeningSockets {
  readonly all: ListeningSocket[] = []

  /**
   * Binds every port, or none.
   * @throws BindError
   */
  static async open(ports: readonly PortConfig[], workers: number): Promise<ListeningSockets> {
    const sockets = new ListeningSockets()
    try {
      for (const config of ports) sockets.all.push(await bind(config, workers))
    } catch (error) {
      sockets.close()
      throw error
    }
    return sockets
  }

  close(): void {
    for (const { stream, datagrams } of this.all) {
      // Also unlinks the path of a unix socket.
      stream?.close()
      for (const { socket } of datagrams ?? []) socket.close()
    }
    this.all.length = 0
  }
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
  const datagrams: { socket: dgram.Socket; handle: DatagramHandle }[] = []
  for (let slot = 0; slot < workers; slot++) {
    const socket = await bindDatagram(dgram.createSocket({ type, reusePort: true }), { host: address.host, port }, what)
    datagrams.push({ socket, handle: stopReceiving(socket) })
  }
  return { config, address: formatAddress({ host: address.host, port }), datagrams }
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
