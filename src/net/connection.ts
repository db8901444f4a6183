import type { Socket } from 'node:net'
import { checkName } from '../arguments.ts'
import type { CloseFrame } from '../contracts/close-frame.ts'
import type { CloseReason } from '../contracts/close-reason.ts'
import type { Connection, Message } from '../contracts/connection.ts'
import type { TlsInfo } from '../contracts/tls-info.ts'
import { checkMessage, messageLength } from '../framing/message-length.ts'
import { shows } from '../shows.ts'
import type { PeerAddress } from './address.ts'
import type { ConnectionContext, Link } from './connection-context.ts'
import type { ConnectionState } from './connection-state.ts'
import { Inbox } from './inbox.ts'
import { startReading, stopReading } from './node-internals.ts'
import { SCRATCH_BYTES } from './outbox.ts'
import { PausedBy } from './paused-by.ts'
import { SendQueue } from './send-queue.ts'
import type { SendRing } from './send-ring.ts'
import { tlsInfoOf } from './tls-info.ts'
import type { Wire } from './wire.ts'

/** A connection of this worker. Hot path: no closure, emitter or promise per message unless the handler returns a promise. */
export class SocketConnection implements Connection {
  static {
    shows(SocketConnection, 'Connection', ['fd', 'port', 'remoteAddress', 'remotePort', 'connectedAt', 'uid', 'bytesIn', 'bytesOut', 'bufferedBytes', 'isOpen'])
  }

  readonly fd: number
  readonly remoteAddress: string
  readonly remotePort: number
  readonly connectedAt: number
  readonly wire: Wire
  readonly socket: Socket
  readonly link: Link
  /** What `uid` says: to set that would change it here alone. */
  user: string | undefined = undefined
  groups: Set<string> | null = null
  /** While a hand-over is going on: what it has had of each worker's messages when it came from another. */
  had: ReadonlyMap<number, number> | null = null
  readonly tls: TlsInfo | undefined
  isOpen = true
  reason: CloseReason | undefined = undefined
  /** When all of its messages so far would have come at the port's rate, in `performance.now()` milliseconds. */
  rateDue = 0
  readonly #context: ConnectionContext
  #data: Record<string, unknown> | null = null
  readonly #sending: SendQueue
  #bytesInOtherWorkers = 0
  #bytesOutOtherWorkers = 0
  readonly inbox: Inbox
  #hasEnded = false
  #isClosed = false
  #isMoved = false

  /** @param peer its address; or what another worker says of a connection that comes from there */
  constructor(context: ConnectionContext, socket: Socket, link: Link, peer: PeerAddress | ConnectionState) {
    this.#context = context
    this.wire = context.wire
    this.socket = socket
    this.link = link
    this.tls = tlsInfoOf(socket)
    this.#sending = new SendQueue(this, context)
    this.inbox = new Inbox(this, link, context.callbacks)
    if ('fd' in peer) {
      this.fd = peer.fd
      this.remoteAddress = peer.remoteAddress
      this.remotePort = peer.remotePort
      this.connectedAt = peer.connectedAt
      this.user = peer.uid
      this.groups = peer.groups.length === 0 ? null : new Set(peer.groups)
      this.#data = peer.data
      this.#bytesInOtherWorkers = peer.bytesIn
      this.#bytesOutOtherWorkers = peer.bytesOut
      this.#hasEnded = peer.hasEnded
      this.rateDue = performance.now() + peer.rateDueMs
      if (peer.isPaused) this.inbox.pause(PausedBy.handler)
      return
    }
    this.fd = context.connections.nextFd()
    this.remoteAddress = peer.address
    this.remotePort = peer.port
    this.connectedAt = Date.now()
  }

  get uid(): string | undefined {
    return this.user
  }

  get port(): string {
    return this.#context.port.name
  }

  get data(): Record<string, unknown> {
    this.#data ??= {}
    return this.#data
  }

  set data(data: Record<string, unknown>) {
    this.#data = data
  }

  get bytesIn(): number {
    return this.#bytesInOtherWorkers + this.socket.bytesRead
  }

  get bytesOut(): number {
    return this.#bytesOutOtherWorkers + this.socket.bytesWritten + this.#sending.byRing
  }

  get bufferedBytes(): number {
    return this.#sending.buffered
  }

  send(unframed: Message): boolean {
    // Old code that still holds this object.
    if (this.#isMoved) return this.#context.port.daemon.send(this.fd, unframed)
    if (!this.isOpen) return false
    const message = this.wire.encode === undefined ? unframed : this.wire.encode(unframed)
    const byteLength = messageLength(message)
    const room = byteLength + this.wire.overhead
    if (!this.#sending.hasRoom(room)) return false
    const { outbox, port } = this.#context
    port.counters.messagesOut++
    if (outbox.reader === this && this.#sending.isEmpty && room <= SCRATCH_BYTES) {
      if (outbox.used + room > SCRATCH_BYTES) this.flush()
      outbox.used += this.wire.encodeInto(outbox.scratch, outbox.used, message, byteLength)
      return true
    }
    const frame = Buffer.allocUnsafe(room)
    const length = this.wire.encodeInto(frame, 0, message, byteLength)
    this.#sending.hold(length === room ? frame : frame.subarray(0, length))
    return true
  }

  /** Sends bytes that are framed already. They are shared: nobody may change them. */
  sendFrame(frame: Buffer): boolean {
    if (!this.isOpen || !this.#sending.hasRoom(frame.length)) return false
    this.#context.port.counters.messagesOut++
    this.#sending.hold(frame)
    return true
  }

  /** Sends what the protocol itself asks for, a pong. It counts as no message. */
  sendControl(frame: Buffer): void {
    if (this.isOpen && this.#sending.hasRoom(frame.length)) this.#sending.hold(frame)
  }

  /** A message of another connection's handler could not be framed as this port frames. */
  cannotFrame(error: unknown): void {
    this.#context.port.failed(error, 'send', this.fd)
  }

  write(bytes: Message): boolean {
    if (this.wire.protocol !== 'tcp') throw new TypeError('write() is for TCP connections: use send(), which builds a WebSocket frame')
    const chunk = typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes)
    if (!this.isOpen || !this.#sending.hasRoom(chunk.length)) return false
    if (chunk.length > 0) this.#sending.hold(chunk)
    return true
  }

  close(last?: Message, frame?: CloseFrame): void {
    if (this.#isMoved) this.#context.port.daemon.close(this.fd, last, frame)
    if (!this.isOpen) return
    if (last !== undefined) checkMessage(last)
    if (frame !== undefined) this.wire.closeWith?.(this, frame)
    try {
      if (last !== undefined) this.send(last)
    } finally {
      this.end('server')
    }
  }

  destroy(): void {
    this.abort('server')
  }

  join(group: string): void {
    if (this.isOpen) this.#context.connections.join(this, group)
  }

  leave(group: string): void {
    if (this.isOpen) this.#context.connections.leave(this, group)
  }

  bind(uid: string): void {
    // To the registry below, undefined is nobody.
    checkName('user', uid)
    if (this.isOpen) this.#context.connections.bind(this, uid)
  }

  pause(): void {
    this.inbox.pause(PausedBy.handler)
  }

  resume(): void {
    this.inbox.resume(PausedBy.handler)
  }

  /** A callback has returned a promise: messages wait for it. */
  waitFor(promise: Promise<void>): void {
    void this.#work(promise)
  }

  /** The framing has found a message. */
  onMessage(message: string | Buffer): void {
    if (!this.isOpen) return
    const { port, callbacks } = this.#context
    port.counters.messagesIn++
    if (this.inbox.isBusy) return this.inbox.add(message) ? undefined : this.end('rate')
    const promise = callbacks.receive(this, message)
    if (promise !== undefined) void this.#work(promise)
  }

  /** What was sent so far leaves in one system call. @param ring with that of other connections */
  flush(ring?: SendRing): void {
    this.#sending.flush(ring)
    // A client that does not read its answers is not read either: its requests wait in its own send buffer.
    if (this.#sending.isFull && this.isOpen) this.inbox.pause(PausedBy.output)
  }

  /** The socket has sent everything that it held. */
  onSocketDrain(): void {
    this.#sending.onDrain()
    this.inbox.resume(PausedBy.output)
    if (this.isOpen) this.#context.callbacks.drained(this)
  }

  /** The client has sent all that it will send. */
  onPeerEnd(): void {
    this.#hasEnded = true
    if (!this.inbox.isBusy) this.end('client')
  }

  /** Closes in good order: what was sent leaves first. */
  end(reason: CloseReason): void {
    if (!this.isOpen) return
    this.flush()
    this.#shut(reason)
    this.wire.end(this)
  }

  /**
   * A WebSocket's close frame is about to leave: behind it nothing may (RFC 6455 section 5.5.1), and what was sent so far leaves before.
   * @param frame `isAnswer`: the client has closed
   */
  beforeCloseFrame({ isAnswer }: { readonly isAnswer: boolean }): void {
    if (!this.isOpen) return
    this.flush()
    if (isAnswer) this.#shut('client')
  }

  /** Closes at once. */
  abort(reason: CloseReason): void {
    if (this.isOpen) this.#shut(reason)
    this.socket.destroy()
  }

  /** The socket is gone. `onClose` follows once, behind the messages that still wait. */
  onSocketClose(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.isOpen) this.#shut('client')
    const { port } = this.#context
    // Until onClose: a stop waits for it, and for the messages before it.
    port.begin()
    port.released(this.socket, this.reason ?? 'client')
    // It was to move, and has closed before.
    if (this.inbox.goOn()) void this.#work(undefined)
    if (!this.inbox.isBusy) this.#closed()
  }

  /**
   * No further message is handled from now on, until `goOn`.
   * @returns whether none is being handled: it can go to another worker as it is
   */
  rest(): boolean {
    if (!this.isOpen || this.#isClosed) return false
    this.inbox.halt()
    return !this.inbox.isRunning
  }

  /** Nothing more is read, either. */
  halt(): void {
    this.inbox.pause(PausedBy.move)
    stopReading(this.socket)
  }

  /** It stays: what was held back goes on. */
  goOn(): void {
    if (this.inbox.goOn()) void this.#work(undefined)
    else if (this.#hasEnded && !this.inbox.isBusy) this.end('client')
    this.inbox.resume(PausedBy.move)
    if (!this.inbox.isPaused) startReading(this.socket)
  }

  /** What another worker needs to go on. All that was sent is in it or with the kernel. */
  state(): ConnectionState {
    this.flush()
    const unsent = this.#sending.unsent()
    return {
      fd: this.fd,
      remoteAddress: this.remoteAddress,
      remotePort: this.remotePort,
      connectedAt: this.connectedAt,
      uid: this.uid,
      groups: this.groups === null ? [] : [...this.groups],
      data: this.#data,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut - unsent.length,
      isPaused: this.inbox.isPausedBy(PausedBy.handler),
      hasEnded: this.#hasEnded,
      rateDueMs: Math.max(0, this.rateDue - performance.now()),
      waiting: this.inbox.waiting,
      unsent,
    }
  }

  /** It is another worker's now: no callback comes any more, and what code that still holds this object sends is passed on. */
  letGo(): void {
    this.forget()
    this.#isMoved = true
    this.#context.connections.letGo(this)
    this.#context.port.letGo(this.socket, this.#sending.unsent().length)
    this.socket.destroy()
  }

  /** Goes on where another worker has let go: what was sent there, what it has missed, what waits. */
  takeOver({ unsent, waiting }: ConnectionState, replay: () => void): void {
    if (unsent.length > 0) this.#sending.write(unsent)
    replay()
    if (this.#sending.isFull) this.inbox.pause(PausedBy.output)
    const promise = this.#context.callbacks.handedOver(this)
    if (promise === undefined && waiting.length === 0) return
    for (const message of waiting) this.inbox.add(typeof message === 'string' ? message : Buffer.from(message))
    void this.#work(promise)
  }

  /** No callback comes any more. */
  forget(): void {
    this.isOpen = false
    this.#isClosed = true
  }

  #closed(): void {
    this.#context.callbacks.closed(this, this.reason ?? 'client')
    this.#context.port.finish()
  }

  #shut(reason: CloseReason): void {
    this.isOpen = false
    this.reason = reason
    this.#sending.clear()
    const { outbox, connections } = this.#context
    if (outbox.reader === this) outbox.used = 0
    connections.remove(this)
    this.#context.callbacks.wake?.(this)
  }

  async #work(promise: Promise<void> | undefined): Promise<void> {
    const isDone = await this.inbox.work(promise)
    if (!isDone && !this.#isClosed) return
    if (this.#hasEnded) this.end('client')
    if (this.#isClosed) this.#closed()
  }
}
