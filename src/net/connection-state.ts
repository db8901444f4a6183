/** What a connection is to its handler and its peer, as plain data: what moves to another worker. */
export interface ConnectionState {
  readonly fd: number
  readonly remoteAddress: string
  readonly remotePort: number
  readonly connectedAt: number
  readonly uid: string | undefined
  readonly groups: readonly string[]
  readonly data: Record<string, unknown> | null
  readonly bytesIn: number
  readonly bytesOut: number
  /** The handler has called `pause`. */
  readonly isPaused: boolean
  /** The client has sent all that it will send. */
  readonly hasEnded: boolean
  /** In how many milliseconds all of its messages so far would have come at the port's rate. */
  readonly rateDueMs: number
  /** Messages that an async handler has not come to. */
  readonly waiting: readonly (string | Uint8Array)[]
  /** Sent, and not taken by the kernel. */
  readonly unsent: Uint8Array
}
