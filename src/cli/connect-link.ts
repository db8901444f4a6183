/** One talk with a peer, whatever carries it. */
export interface Link {
  /** Sends one message; resolves when the next one may follow. Rejects when it cannot be sent. */
  send(message: Buffer): Promise<void>
  /** Says that nothing more will be sent, once all has left. What the peer sends still arrives. */
  finish(): Promise<void>
  /** Ends the talk in good order. */
  close(): Promise<void>
  /** Resolves when the peer has ended the talk, rejects when it broke. */
  readonly closed: Promise<void>
}

/** Where a link puts what arrives. */
export interface Sink {
  /** Takes bytes of a stream. False: wait for `drained` before the next. */
  take(bytes: Uint8Array): boolean
  /** Takes a whole message and ends its line. */
  takeMessage(message: Uint8Array): boolean
  /** Whether bytes that are for no person's eyes are shown in hex. */
  readonly isTerminal: boolean
  readonly isFull: boolean
  drained(): Promise<void>
}
