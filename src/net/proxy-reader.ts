import type { PeerAddress } from './address.ts'
import { readRaw, type StreamHandle, stopReadingRaw } from './node-internals.ts'
import { MAX_HEADER_BYTES, parseProxyHeader } from './proxy-header.ts'

// A proxy sends its header at once, in the first segment: what takes longer than a segment that was lost twice is none.
const HEADER_MS = 3000

/** What becomes of a connection that a proxy has begun. */
export interface ProxyReaderParts {
  /** The header is there. @param head what came behind it */
  readonly onHeader: (client: StreamHandle, peer: PeerAddress, head: Buffer | undefined) => void
  /** There is none, and the connection is not closed yet. */
  readonly onFailure: (client: StreamHandle, proxy: PeerAddress) => void
  /** The proxy has closed the connection without a word: it has looked whether somebody is there. */
  readonly onNothing: (client: StreamHandle) => void
}

/** Reads the PROXY header of connections from trusted proxies, before there is a socket. Bounded in time and size. */
export class ProxyReader {
  readonly #parts: ProxyReaderParts
  readonly #waiting = new Map<StreamHandle, NodeJS.Timeout>()

  constructor(parts: ProxyReaderParts) {
    this.#parts = parts
  }

  /** @param proxy who it is that speaks: the client, where the header names none */
  read(client: StreamHandle, proxy: PeerAddress): void {
    const { onHeader, onFailure, onNothing } = this.#parts
    let bytes: Buffer | undefined
    this.#waiting.set(
      client,
      setTimeout(() => this.#end(client, () => onFailure(client, proxy)), HEADER_MS),
    )
    readRaw(client, (chunk) => {
      if (chunk === undefined) return this.#end(client, () => (bytes === undefined ? onNothing(client) : onFailure(client, proxy)))
      const all = bytes === undefined ? chunk : Buffer.concat([bytes, chunk])
      bytes = all
      const header = parseProxyHeader(all)
      if (header === undefined && all.length < MAX_HEADER_BYTES) return
      if (header === undefined || header === null) return this.#end(client, () => onFailure(client, proxy))
      const { length, source = proxy } = header
      this.#end(client, () => onHeader(client, source, all.length > length ? all.subarray(length) : undefined))
    })
  }

  /** Closes what waits. */
  stop(): void {
    for (const client of this.#waiting.keys()) this.#end(client, () => this.#parts.onNothing(client))
  }

  #end(client: StreamHandle, then: () => void): void {
    const timer = this.#waiting.get(client)
    if (timer === undefined) return
    clearTimeout(timer)
    this.#waiting.delete(client)
    stopReadingRaw(client)
    then()
  }
}
