import type { Logger } from '../contracts/logger.ts'
import type { SocketConnection } from './connection.ts'
import { SendRing } from './send-ring.ts'

/** One write carries at most this much of what was joined: as large as a read, so that an echo of a full read is one write. */
export const SCRATCH_BYTES = 64 * 1024

// From so many connections on, one system call for all is cheaper than one for each.
const RING_FROM = 8

// Of all outboxes of this process: what it takes is never given back, as nobody may use that memory then. Null where there is none to be had. Not made before it is needed.
let sharedRing: SendRing | null | undefined

/**
 * Everything that is sent to one connection within one turn of the event loop leaves in one system call.
 *
 * While a connection's read is being handled, its answers are framed straight into one scratch buffer that all
 * connections share, and leave when that read is done. What is sent to other connections waits in them, and leaves after
 * all reads of the turn (setImmediate runs right behind the poll phase). Hot path: no allocation per message but for the
 * bytes of messages to others.
 */
export class Outbox {
  /** Where the connection that is being read frames its answers. */
  scratch: Buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  /** Bytes of it in use. */
  used = 0
  /** The connection that is being read. */
  reader: SocketConnection | null = null
  #waiting: SocketConnection[] = []
  #isScheduled = false
  readonly #log: Logger
  readonly #flushAll = (): void => this.flushAll()

  constructor(log: Logger) {
    this.#log = log
  }

  /** The connection has something to send; it leaves at the end of the turn. */
  schedule(connection: SocketConnection): void {
    this.#waiting.push(connection)
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(this.#flushAll)
  }

  /** Takes the scratch buffer's bytes for a write. They must be written, and `replaceScratch` called where the kernel has not taken them all, before anything else. */
  take(): Buffer {
    const bytes = this.scratch.subarray(0, this.used)
    this.used = 0
    return bytes
  }

  /** The kernel did not take all of the scratch buffer: the socket keeps it, a new one takes its place. */
  replaceScratch(): void {
    this.scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  }

  flushAll(): void {
    this.#isScheduled = false
    const waiting = this.#waiting
    this.#waiting = []
    const ring = waiting.length < RING_FROM ? null : openRing(this.#log)
    if (ring === null) for (const connection of waiting) connection.flush()
    else {
      for (const connection of waiting) connection.flush(ring)
      ring.submit()
      if (ring.isBroken) giveUpRing(this.#log, 'the kernel took no more of it')
    }
  }
}

function openRing(log: Logger): SendRing | null {
  if (sharedRing !== undefined) return sharedRing
  try {
    sharedRing = new SendRing()
    log.debug('What goes to many connections leaves in one system call (io_uring)')
    return sharedRing
  } catch (error) {
    return giveUpRing(log, (error as Error).message)
  }
}

function giveUpRing(log: Logger, reason: string): null {
  log.debug({ reason }, 'What goes to many connections leaves in a system call for each (no io_uring)')
  sharedRing = null
  return null
}
