import { ENTRY_WORDS, type IoUring, openIoUring } from './io-uring.ts'

const CAPACITY = 256
const AREA_BYTES = 256 * 1024
const SEND = 26
// MSG_DONTWAIT, MSG_NOSIGNAL: what the kernel has no room for is not sent, and nothing is sent later.
const SEND_FLAGS = 0x4040
// Words of an entry, struct io_uring_sqe.
const FD = 1
const ADDRESS = 4
const LENGTH = 6
const FLAGS = 7
const USER_DATA = 8

/** Who sends by the ring. */
export interface RingSender {
  /** The kernel has taken only so much of it: the rest is to be sent by another way. */
  onCutShort(bytes: Uint8Array, numTaken: number): void
}

/**
 * What goes to many sockets at the end of a turn, in one system call (io_uring): a write(2) for each is what a publication costs most of. What is sent is with the kernel, or
 * refused by it, when `submit` returns: the ring holds nothing between turns.
 */
export class SendRing {
  readonly #ring: IoUring
  // What was added, by the number of its entry.
  readonly #senders: (RingSender | undefined)[] = new Array<undefined>(CAPACITY).fill(undefined)
  readonly #chunks: (Uint8Array | undefined)[] = new Array<undefined>(CAPACITY).fill(undefined)
  #count = 0
  #used = 0
  // What was added last, and where it is in the area: a publication is the same bytes for all.
  #last: Uint8Array | undefined
  #address = 0
  #isBroken = false
  readonly #onDone = (slot: number, result: number): void => this.#done(slot, Math.max(0, result))

  /** @throws Error with what is missing here */
  constructor() {
    this.#ring = openIoUring({ capacity: CAPACITY, areaBytes: AREA_BYTES })
    const { entries } = this.#ring
    for (let slot = 0; slot < CAPACITY; slot++) {
      const at = ENTRY_WORDS * slot
      entries[at] = SEND
      entries[at + FLAGS] = SEND_FLAGS
      entries[at + USER_DATA] = slot
    }
  }

  /** The kernel takes no more of it. What was added has been cut short. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  /**
   * To a socket for which nothing waits elsewhere, once at most between two calls of `submit`.
   * @returns false when the ring cannot take it
   */
  add(sender: RingSender, fd: number, bytes: Uint8Array): boolean {
    // Before it is added: nobody is cut short while being added.
    if (this.#count === CAPACITY) this.#enter()
    if (bytes !== this.#last && !this.#place(bytes)) return false
    if (this.#isBroken) return false
    const ring = this.#ring
    const slot = ring.tail & (CAPACITY - 1)
    ring.tail = (ring.tail + 1) | 0
    const at = ENTRY_WORDS * slot
    ring.entries[at + FD] = fd
    ring.entries[at + ADDRESS] = this.#address | 0
    ring.entries[at + ADDRESS + 1] = this.#address / 2 ** 32
    ring.entries[at + LENGTH] = bytes.byteLength
    this.#senders[slot] = sender
    this.#chunks[slot] = bytes
    this.#count++
    return true
  }

  /** What was added is with the kernel, or cut short. */
  submit(): void {
    if (this.#count > 0) this.#enter()
    this.#last = undefined
    this.#used = 0
  }

  #place(bytes: Uint8Array): boolean {
    if (bytes.byteLength > AREA_BYTES) return false
    if (this.#used + bytes.byteLength > AREA_BYTES) this.submit()
    this.#ring.area.set(bytes, this.#used)
    this.#address = this.#ring.areaAddress + this.#used
    this.#used += bytes.byteLength
    this.#last = bytes
    return true
  }

  #enter(): void {
    this.#count = 0
    if (this.#ring.submit(this.#onDone)) return
    this.#isBroken = true
    for (let slot = 0; slot < CAPACITY; slot++) this.#done(slot, 0)
  }

  #done(slot: number, numTaken: number): void {
    const sender = this.#senders[slot]
    const bytes = this.#chunks[slot]
    this.#senders[slot] = undefined
    this.#chunks[slot] = undefined
    if (sender !== undefined && bytes !== undefined && numTaken < bytes.byteLength) sender.onCutShort(bytes, numTaken)
  }
}
