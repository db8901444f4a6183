import { buffersPassed } from '../ipc/young-buffers.ts'
import type { SocketConnection } from './connection.ts'
import type { ConnectionContext } from './connection-context.ts'
import { type PastWriter, streamHandleOf, unsentBytes, writePastStream } from './node-internals.ts'
import { SCRATCH_BYTES } from './outbox.ts'
import type { RingSender, SendRing } from './send-ring.ts'

// Chunks that are shorter on average are joined; longer ones leave in one writev(2), as copies of them would be garbage at once.
const JOINED_BYTES = 2048

/** What was sent to a connection and has not left: what waits for the end of the turn, and what the kernel has not taken. */
export class SendQueue implements PastWriter, RingSender {
  readonly #connection: SocketConnection
  readonly #context: ConnectionContext
  // What waits beyond the outbox's scratch buffer.
  #first: Uint8Array | null = null
  #more: Uint8Array[] | null = null
  #bytes = 0
  #isScheduled = false
  // What was written past the socket's stream, as long as the kernel has not taken all of it.
  #past = 0
  #byRing = 0
  // The last that was written, as long as the socket holds some of it: a hand-over takes it along.
  #written: Uint8Array[] | null = null
  #writtenBytes = 0

  constructor(connection: SocketConnection, context: ConnectionContext) {
    this.#connection = connection
    this.#context = context
  }

  get isEmpty(): boolean {
    return this.#first === null
  }

  /** Bytes that have not left this process. */
  get buffered(): number {
    const { outbox } = this.#context
    return this.#bytes + this.#held + (outbox.reader === this.#connection ? outbox.used : 0)
  }

  /** Whether so much has not left that more should wait, as streams have it. */
  get isFull(): boolean {
    const { socket } = this.#connection
    return socket.writableNeedDrain || (this.#past > 0 && this.#past >= socket.writableHighWaterMark)
  }

  /** Bytes of writes that the kernel has not taken whole. */
  get #held(): number {
    return this.#past + this.#connection.socket.writableLength
  }

  /** Whether so many bytes more may wait. What happens if not is up to the port's limits. */
  hasRoom(bytes: number): boolean {
    const { limits, counters } = this.#context.port
    if (this.buffered + bytes <= limits.sendBuffer) return true
    counters.dropped++
    if (limits.onOverflow === 'close') this.#connection.abort('overflow')
    return false
  }

  /** It leaves with all else at the end of the turn. */
  hold(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength
    buffersPassed(chunk.byteLength)
    if (this.#first === null) this.#first = chunk
    else if (this.#more === null) this.#more = [chunk]
    else this.#more.push(chunk)
    const { outbox } = this.#context
    // The one that is being read is flushed when its read is done.
    if (this.#isScheduled || outbox.reader === this.#connection) return
    this.#isScheduled = true
    outbox.schedule(this.#connection)
  }

  /** Bytes that neither the socket nor its handle knows of. */
  get byRing(): number {
    return this.#byRing
  }

  /** What waits leaves in one system call. @param ring with that of other connections, if it can */
  flush(ring?: SendRing): void {
    this.#isScheduled = false
    const { outbox } = this.#context
    const { socket } = this.#connection
    if (outbox.reader === this.#connection && outbox.used > 0) {
      // A TLS socket tells of no write at once that it is done: a new scratch buffer for each would cost more than this copy.
      if (this.#connection.tls === undefined) this.write(outbox.take())
      else this.write(Buffer.from(outbox.take()))
      if (this.#held > 0 && this.#connection.tls === undefined) outbox.replaceScratch()
    }
    const first = this.#first
    if (first === null) return
    const more = this.#more
    const bytes = this.#bytes
    this.clear()
    if (more === null) this.#writeOne(first, ring)
    else if (bytes <= SCRATCH_BYTES && bytes < JOINED_BYTES * (1 + more.length)) this.#writeOne(Buffer.concat([first, ...more], bytes), ring)
    else {
      socket.cork()
      this.#writeStream(first)
      for (const chunk of more) this.#writeStream(chunk)
      socket.uncork()
    }
  }

  #writeOne(bytes: Uint8Array, ring: SendRing | undefined): void {
    if (ring === undefined || !this.#writeByRing(bytes, ring)) this.write(bytes)
  }

  #writeByRing(bytes: Uint8Array, ring: SendRing): boolean {
    const { socket, tls } = this.#connection
    if (tls !== undefined || this.#held > 0) return false
    const handle = streamHandleOf(socket)
    // What has failed while it was made is not open any more.
    if (handle === undefined || !ring.add(this, handle.fd, bytes)) return false
    // The socket holds nothing, and says so only when it held much.
    this.#keep(EMPTY, 0)
    this.#countByRing(bytes.byteLength)
    return true
  }

  onCutShort(bytes: Uint8Array, numTaken: number): void {
    this.#countByRing(numTaken - bytes.byteLength)
    // It meets what the ring has met: no room, or an error.
    this.write(bytes.subarray(numTaken))
    this.#connection.flush()
  }

  #countByRing(bytes: number): void {
    this.#byRing += bytes
    this.#context.port.counters.bytesOut += bytes
  }

  /** Past what waits. */
  write(bytes: Uint8Array): void {
    const { socket, tls } = this.#connection
    if (tls !== undefined || this.#held > 0) return this.#writeStream(bytes)
    const result = writePastStream(socket, bytes, this)
    if (result === 'refused') return this.#writeStream(bytes)
    if (result === 'waiting') this.#past = bytes.byteLength
    if (this.#past > 0 || this.#written !== null) this.#keep(bytes, this.#past)
  }

  #writeStream(bytes: Uint8Array): void {
    const { socket, tls } = this.#connection
    socket.write(bytes)
    if (tls === undefined && (socket.writableLength > 0 || this.#written !== null)) this.#keep(bytes, this.#held)
  }

  /** The kernel has taken what was written past the stream. */
  taken(): void {
    const wasFull = this.isFull
    this.#past = 0
    // Or the stream says so when it has sent what it holds.
    if (wasFull && !this.isFull) this.#connection.onSocketDrain()
    else this.onDrain()
  }

  /** The kernel has taken everything that the socket held. */
  onDrain(): void {
    this.#keep(EMPTY, this.#held)
  }

  clear(): void {
    this.#first = null
    this.#more = null
    this.#bytes = 0
  }

  /** What the kernel has not taken of all that was written. */
  unsent(): Uint8Array {
    const length = unsentBytes(this.#connection.socket)
    if (length === 0 || this.#written === null) return EMPTY
    const all = Buffer.concat(this.#written, this.#writtenBytes)
    return all.subarray(all.length - length)
  }

  /** Keeps no more of the past than the socket does. */
  #keep(bytes: Uint8Array, held: number): void {
    if (held === 0) {
      this.#written = null
      this.#writtenBytes = 0
      return
    }
    const written = this.#written ?? []
    this.#written = written
    written.push(bytes)
    this.#writtenBytes += bytes.byteLength
    let numOld = 0
    for (let old = written[0]; old !== undefined && this.#writtenBytes - old.byteLength >= held; old = written[++numOld]) this.#writtenBytes -= old.byteLength
    if (numOld > 0) written.splice(0, numOld)
  }
}

const EMPTY = Buffer.alloc(0)
