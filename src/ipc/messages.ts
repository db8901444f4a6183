import type { Config } from '../config/schema.ts'
import type { Problem } from '../errors.ts'
import type { WorkerReport } from '../metrics/worker-report.ts'

/** A worker as the others reach it: `bus` is the unix socket it listens on. */
export interface BusPeer {
  readonly slot: number
  /** Different for every process that ever ran in this daemon; what the registry names an owner by. */
  readonly owner: number
  readonly bus: string
}

/** What a worker needs to begin. */
export interface WorkerStart {
  readonly config: Config
  readonly slot: number
  readonly owner: number
  /** The folder of the shared-memory store. */
  readonly store: string
  /** The unix socket it is to listen on for the others; none when it is alone in its process. */
  readonly bus?: string
}

/** Everything that the master says to a worker. A handle travels beside `listen` and `connection`. */
export type ToWorker =
  | { readonly type: 'start'; readonly start: WorkerStart }
  /** Open this port on the listening socket that comes with the message. */
  | { readonly type: 'listen'; readonly port: string; readonly address: string }
  /** Every handle has been sent: report `ready`. */
  | { readonly type: 'opened' }
  /** A connection that the master has accepted; to be answered with `taken`. */
  | { readonly type: 'connection'; readonly port: string; readonly id: number }
  /** Give the port's listening socket up until the next `listen`: other workers are to catch up. */
  | { readonly type: 'hold'; readonly port: string }
  | { readonly type: 'peers'; readonly peers: readonly BusPeer[] }
  | { readonly type: 'report'; readonly id: number }
  | { readonly type: 'stop'; readonly maxWaitSeconds: number }

/** Everything that a worker says to the master. */
export type ToMaster =
  /** Handlers are constructed, nothing is open. */
  | { readonly type: 'loaded' }
  | { readonly type: 'failed'; readonly problems: readonly Problem[]; readonly message: string }
  | { readonly type: 'ready' }
  | { readonly type: 'taken'; readonly id: number }
  /** The port now holds this many connections of its listening socket. */
  | { readonly type: 'accepted'; readonly port: string; readonly connections: number }
  /** Descriptors ran out and the port has let go of its listening socket: to be answered with `listen`. */
  | { readonly type: 'rested'; readonly port: string }
  | { readonly type: 'report'; readonly id?: number; readonly report: WorkerReport }
  /** A handler asked for it. */
  | { readonly type: 'stop' }
  | { readonly type: 'stopped' }

/** What workers say to each other, straight over the bus. `name` is a group, a port or a uid; fields that a kind does not use are empty. */
export interface BusMessage {
  readonly kind: 'send' | 'close' | 'publish' | 'broadcast' | 'join' | 'leave' | 'bind' | 'unbind'
  readonly fd: number
  readonly name: string
  readonly except: readonly number[]
  readonly payload: string | Uint8Array | undefined
}
