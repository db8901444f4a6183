import type { StreamHandle } from './node-internals.ts'
import type { Port } from './port.ts'

/** What opens one port in one worker: the reactor of that port. */
export interface Listener {
  readonly port: Port
  /** Takes a client's raw handle: one that was accepted here, or by the master. */
  adopt?(client: StreamHandle): void
  /** Ends everything in good order: connections close with reason `shutdown` once what was sent has left. */
  stop(): void
  /** Ends what `stop` did not. */
  destroy(): void
}
