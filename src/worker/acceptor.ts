import { Admission, type AdmissionParts } from '../net/admission.ts'
import { bindError } from '../net/bind-error.ts'
import { acceptOn, type StreamHandle } from '../net/node-internals.ts'
import type { Port } from '../net/port.ts'
import { lowestFree, reservedFrom } from './descriptor-limit.ts'

// How long accept(2) rests when descriptors run out: some must be closed first, trying at once cannot help.
const REST_MS = 100

export interface AcceptorParts extends AdmissionParts {
  /** Called behind each connection, with how many there are. */
  readonly onAccepted: (connections: number) => void
  /** Asks for the listening socket, if there is somebody to ask: it was let go of, as descriptors ran out. */
  readonly onRested: (() => void) | undefined
}

/** Takes the new connections of one port: from this worker's copy of the listening socket, and those that the master deals. Rests while descriptors are short. */
export class Acceptor {
  readonly #port: Port
  readonly #admission: Admission
  readonly #onAccepted: AcceptorParts['onAccepted']
  readonly #onRested: AcceptorParts['onRested']
  readonly #reservedFrom = reservedFrom()
  #handle: StreamHandle | undefined
  /** Runs while descriptors are short: asks for another copy. */
  #rest: NodeJS.Timeout | undefined

  constructor(parts: AcceptorParts) {
    this.#port = parts.port
    this.#admission = new Admission(parts)
    this.#onAccepted = parts.onAccepted
    this.#onRested = parts.onRested
  }

  /** Accepts from a socket that is bound already. @throws BindError */
  open(handle: StreamHandle): void {
    this.pause()
    this.#handle = handle
    if (this.#rest !== undefined) {
      if (lowestFree() >= this.#reservedFrom) return this.#restNow()
      this.#port.log.info('Accepting again')
    }
    clearInterval(this.#rest)
    this.#rest = undefined
    const status = acceptOn(
      handle,
      (client) => this.#accepted(client),
      (errno) => this.#failed(errno),
    )
    if (status !== 0) throw bindError(`port "${this.#port.name}"`, this.#port.address, status)
  }

  /** Takes a connection that the master has accepted. */
  adopt(client: StreamHandle, waitedMs: number): void {
    if (this.#isReserved(client)) this.#refuse(client)
    else this.#admission.dealt(client, waitedMs)
  }

  /** Accepts nothing more until it is opened again. */
  pause(): void {
    this.#handle?.close()
    this.#handle = undefined
  }

  /** Accepts nothing more, ever. */
  leave(): void {
    this.pause()
    clearInterval(this.#rest)
  }

  /** Lets nobody in any more, also of those whose proxy has not yet said whom it speaks for. */
  stop(): void {
    this.leave()
    this.#admission.stop()
  }

  #accepted(client: StreamHandle): void {
    const isReserved = this.#isReserved(client)
    if (isReserved && this.#onRested === undefined) return this.#refuse(client)
    this.#admission.accepted(client)
    this.#onAccepted(this.#port.sockets.size)
    if (isReserved) this.#restNow()
  }

  #failed(errno: number): void {
    this.#port.refused('error')
    this.#port.log.warn({ errno }, 'Cannot accept a connection')
    this.#restNow()
  }

  #isReserved(handle: StreamHandle): boolean {
    return handle.fd >= this.#reservedFrom
  }

  /** Lets go of the listening socket: whoever connects waits in the kernel's queue, or meets another worker. */
  #restNow(): void {
    if (this.#onRested === undefined) return
    this.pause()
    this.#port.counters.rests++
    if (this.#rest !== undefined) return
    this.#port.log.warn({ connections: this.#port.connections }, 'Out of descriptors: accepting no more until some are closed')
    // Again and again: a message with a socket is lost when there is no descriptor for it.
    this.#rest = setInterval(this.#onRested, REST_MS)
  }

  /** There is no room for a connection that is already here, and nobody else to take it. */
  #refuse(client: StreamHandle): void {
    client.close()
    this.#port.refused('error')
  }
}
