import dgram from 'node:dgram'
import net from 'node:net'
import type tls from 'node:tls'
import { fstatSync } from '../node-fs.ts'
import { getSystemErrorName } from '../node-util.ts'

/**
 * What Node does not document of sockets: raw handles. Only this file touches it, and `node-http-internals.ts` that of HTTP. `test/net/node-internals.test.ts` says which names it
 * relies on, and runs on every Node line that Polyport supports.
 *
 * Why raw handles: the listening sockets live in the master, which never reads them, and each worker accepts from its own
 * copy (accept(2) on a shared socket). A `net.Server` cannot be opened without accepting.
 */

/** A kernel socket as libuv knows it: a TCP or pipe handle. */
export interface StreamHandle {
  readonly fd: number
  onconnection: ((status: number, client: StreamHandle | undefined) => void) | null
  listen(backlog: number): number
  close(done?: () => void): void
  getsockname?(out: { address?: string; port?: number; family?: string }): number
  getpeername?(out: { address?: string; port?: number; family?: string }): number
  setNoDelay?(on: boolean): number
  unref(): void
  /** Whether the socket on top believes that it is being read. */
  reading: boolean
  readStart(): number
  onread: (bytes: ArrayBuffer | undefined) => void
  readStop(): number
  /** Bytes that it was given, and those of them that the kernel has not taken yet. */
  readonly bytesWritten: number
  readonly writeQueueSize: number
  /** @returns a negative errno or 0, or a request when the kernel has not taken all at once. Before Node 26 it needs one that is given. */
  writeBuffer(request: object | null, bytes: Uint8Array): number | WriteRequest
}

/** A UDP socket's handle. */
export interface DatagramHandle {
  readonly fd: number
  recvStop(): number
  close(): void
}

interface NetInternals {
  _createServerHandle(address: string, port: number, addressType: number, fd?: number, flags?: number): StreamHandle | number
}

// As node's own default (net.Server#listen): the kernel cuts it to net.core.somaxconn.
const BACKLOG = 511

/** Binds, without listening. Returns the handle, or a negative errno. */
export function bindStream(address: { host: string; port: number } | { path: string }): StreamHandle | number {
  const internals = net as unknown as NetInternals
  if ('path' in address) return internals._createServerHandle(address.path, -1, -1)
  const handle = internals._createServerHandle(address.host, address.port, net.isIPv6(address.host) ? 6 : 4)
  if (typeof handle === 'number') return handle
  // libuv holds EADDRINUSE back until the first use of the socket (uv__tcp_bind: delayed_error).
  const status = handle.getsockname?.({}) ?? 0
  if (status === 0) return handle
  handle.close()
  return status
}

/** The port that the kernel chose for a bound TCP handle. */
export function boundPort(handle: StreamHandle): number {
  const out: { port?: number } = {}
  handle.getsockname?.(out)
  return out.port ?? 0
}

/**
 * Listens and accepts. `onHandle` gets the raw handle of each client, `onFailure` a negative errno when accept(2) fails.
 * @returns 0 or a negative errno
 */
export function acceptOn(handle: StreamHandle, onHandle: (client: StreamHandle) => void, onFailure: (errno: number) => void): number {
  handle.onconnection = (status, client) => {
    if (status === 0 && client !== undefined) onHandle(client)
    else onFailure(status)
  }
  return handle.listen(BACKLOG)
}

const peername: { address?: string; port?: number } = {}

/** The client's address; `''` and 0 on a unix socket. The object is reused by the next call. */
export function peerOf(handle: StreamHandle): { address: string; port: number } {
  peername.address = ''
  peername.port = 0
  handle.getpeername?.(peername)
  return peername as { address: string; port: number }
}

/** The same number in every process, and no other open socket has it: its inode. */
export function identityOf(handle: StreamHandle): number {
  return fstatSync(handle.fd).ino
}

/** Reads from a handle that has no socket yet. `onRead` gets undefined when nothing more comes. */
export function readRaw(handle: StreamHandle, onRead: (bytes: Buffer | undefined) => void): void {
  handle.onread = (bytes) => onRead(bytes === undefined ? undefined : Buffer.from(bytes))
  handle.readStart()
}

/** Undoes `readRaw`: a socket may be put on the handle. */
export function stopReadingRaw(handle: StreamHandle): void {
  handle.readStop()
}

/** From now on, these are the `remoteAddress` and `remotePort` of a socket, of a TLS socket, too. Its own address is not asked for. */
export function setPeer(socket: net.Socket, { address, port }: { readonly address: string; readonly port: number }): void {
  const family = address.includes(':') ? 'IPv6' : 'IPv4'
  ;(socket as unknown as { _peername: object })._peername = address === '' ? {} : { address, port, family }
}

/** The socket that a TLS socket was put on. */
export function underlying(socket: tls.TLSSocket): net.Socket {
  return (socket as unknown as { _parent: net.Socket })._parent
}

/** Wraps an accepted handle. With `onread`, its callback gets every read in one shared buffer, with the socket as `this`. */
export function socketFromHandle(handle: StreamHandle, onread?: net.OnReadOpts): net.Socket {
  handle.setNoDelay?.(true)
  const options = { handle, allowHalfOpen: true, readable: true, writable: true, ...(onread && { onread }) }
  return new net.Socket(options as unknown as net.SocketConstructorOpts)
}

/** The handle under a socket; undefined once that is destroyed. */
export function streamHandleOf(socket: net.Socket): StreamHandle | undefined {
  return (socket as unknown as { _handle: StreamHandle | null })._handle ?? undefined
}

/** Undoes `stopReading`. `resume()` alone does not: the stream believes that a read is still under way. */
export function startReading(socket: net.Socket): void {
  const handle = streamHandleOf(socket)
  if (handle === undefined || handle.reading) return
  handle.reading = true
  handle.readStart()
}

/** Reads no more, from now on: `pause()` alone lets one more read through. */
export function stopReading(socket: net.Socket): void {
  const handle = streamHandleOf(socket)
  if (handle === undefined) return
  handle.reading = false
  handle.readStop()
}

interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void
  /** Set when it was done before `oncomplete` was there. */
  writeStatus: number | null
  // Ours: libuv reads the bytes until it is done.
  bytes: Uint8Array
  socket: net.Socket
  writer: PastWriter
}

/** Who has written past a stream. */
export interface PastWriter {
  /** The kernel has taken all of it. */
  taken(): void
}

/** Whether Node itself writes without a request, as it does since 26. Undefined until it has been seen to write. */
let writesWithoutRequest: boolean | undefined

function watchWrite(handle: StreamHandle): void {
  handle.writeBuffer = (request, bytes) => {
    writesWithoutRequest = request === null
    delete (handle as { writeBuffer?: unknown }).writeBuffer
    return handle.writeBuffer(request, bytes)
  }
}

/**
 * Writes to a plain socket whose stream holds nothing, past that stream: it costs as much again as the system call's own part in Node. What comes later by the
 * stream leaves behind it.
 * @param writer is told when the kernel has taken what it had no room for at once; `bytes` must not change until then
 * @returns `done`; `waiting` when the writer will be told, unless the socket ends before; `refused` when nothing was written: use the stream
 */
export function writePastStream(socket: net.Socket, bytes: Uint8Array, writer: PastWriter): 'done' | 'waiting' | 'refused' {
  const handle = streamHandleOf(socket)
  if (handle === undefined || writesWithoutRequest === false) return 'refused'
  if (writesWithoutRequest === undefined) {
    watchWrite(handle)
    return 'refused'
  }
  const result = handle.writeBuffer(null, bytes)
  if (typeof result === 'number') {
    if (result !== 0) socket.destroy(writeError(result))
    return 'done'
  }
  if (result.writeStatus !== null) {
    if (result.writeStatus < 0) socket.destroy(writeError(result.writeStatus))
    return 'done'
  }
  Object.assign(result, { bytes, socket, writer, oncomplete: onWritten })
  return 'waiting'
}

function onWritten(this: WriteRequest, status: number): void {
  if (this.socket.destroyed) return
  if (status < 0) this.socket.destroy(writeError(status))
  else this.writer.taken()
}

function writeError(errno: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(errno)
  return Object.assign(new Error(`write ${code}`), { errno, code, syscall: 'write' })
}

/** How many of the bytes that were written to a socket the kernel has not taken yet. */
export function unsentBytes(socket: net.Socket): number {
  const handle = streamHandleOf(socket)
  return handle === undefined ? 0 : socket.bytesWritten - handle.bytesWritten + handle.writeQueueSize
}

/** How many of the bytes that were written to a socket the kernel has taken. */
export function takenBytes(socket: net.Socket): number {
  return socket.bytesWritten - unsentBytes(socket)
}

function handleOf(socket: dgram.Socket): DatagramHandle {
  const state = Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === 'state symbol')
  const holder = state && (socket as unknown as Record<symbol, { handle: DatagramHandle }>)[state]
  if (!holder) throw new Error('Cannot reach the handle of a UDP socket in this version of Node')
  return holder.handle
}

/** The handle of a bound UDP socket, no longer read in this process. The socket object must be kept: it owns the handle. */
export function stopReceiving(socket: dgram.Socket): DatagramHandle {
  const handle = handleOf(socket)
  handle.recvStop()
  return handle
}

/** Starts to receive on a UDP handle that came from the master. */
export function receiveOn(handle: DatagramHandle, options: dgram.SocketOptions): Promise<dgram.Socket> {
  const socket = dgram.createSocket(options)
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    // dgram takes a handle where a port is documented, as node's own child_process does when it receives a socket.
    socket.bind(handle as unknown as number, () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}
