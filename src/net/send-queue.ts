import type { Socket } from 'node:net'
import { unsentBytes } from './node-internals.ts'
import { SCRATCH_BYTES } from './outbox.ts'

/** What was sent to a connection and has not left: what waits for the end of the turn, and what the kernel has not taken. */
export class SendQueue {
  /** Bytes that wait for the end of the turn. */
  bytes = 0
  readonly #socket: Socket
  #first: Uint8Array | null = null
  #more: Uint8Array[] | null = null
  // The last that was written, as long as the socket holds some of it: a hand-over takes it along.
  #written: Uint8Array[] | null = null
  #writtenBytes = 0

  constructor(socket: Socket) {
    this.#socket = socket
  }

  get isEmpty(): boolean {
    return this.#first === null
  }

  /** It leaves with the next `flush`. */
  push(chunk: Uint8Array): void {
    this.bytes += chunk.byteLength
    if (this.#first === null) this.#first = chunk
    else if (this.#more === null) this.#more = [chunk]
    else this.#more.push(chunk)
  }

  /** What waits leaves in one system call. */
  flush(): void {
    const first = this.#first
    if (first === null) return
    const more = this.#more
    const { bytes } = this
    this.clear()
    if (more === null) this.write(first)
    else if (bytes <= SCRATCH_BYTES) this.write(Buffer.concat([first, ...more], bytes))
    else {
      const socket = this.#socket
      socket.cork()
      this.write(first)
      for (const chunk of more) this.write(chunk)
      socket.uncork()
    }
  }

  /** Past what waits. */
  write(bytes: Uint8Array): void {
    const socket = this.#socket
    socket.write(bytes)
    if (socket.writableLength > 0 || this.#written !== null) this.#keep(bytes, socket.writableLength)
  }

  clear(): void {
    this.#first = null
    this.#more = null
    this.bytes = 0
  }

  /** What the kernel has not taken of all that was written. */
  unsent(): Uint8Array {
    const length = unsentBytes(this.#socket)
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
