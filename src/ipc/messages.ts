import type { Config } from '../config/schema.ts'
import type { ProcessDeath } from '../contracts/lifecycle.ts'
import type { Problem } from '../errors.ts'
import type { WorkerReport } from '../metrics/worker-report.ts'
import type { StrippedModule } from '../modules/stripped.ts'

/** What a process of the daemon is there for. `queue` holds the tasks that wait. */
export type Role = 'worker' | 'task' | 'timer' | 'process' | 'queue'

/** The place of a process: stays the same over restarts and reloads. */
export interface Place {
  readonly role: Role
  /** Counts from 0 among those of the same role and name. For a worker, its slot. */
  readonly index: number
  /** Of a custom process. */
  readonly name?: string
}

/** A port as the processes know it that do not open it. */
export interface PortPlace {
  readonly name: string
  readonly address: string
}

/** A process as the others reach it: `bus` is the unix socket it listens on. */
export interface BusPeer extends Place {
  /** Different for every process that ever ran in this daemon; what the registry names an owner by. */
  readonly owner: number
  readonly bus: string
  /** Workers that its connections move to: what is meant for it goes to them, too (hand-over). Empty but during a reload. */
  readonly heirs: readonly number[]
  /** Another one has its place already. */
  readonly isLeaving: boolean
}

/** A connection that moves. Its handle travels beside `move` and `arrive`, its state over the bus. */
export interface MoveNote {
  /** Counts up in the worker that it leaves. */
  readonly id: number
  /** The worker that it leaves, and the one that it goes to. */
  readonly from: number
  readonly to: number
  readonly port: string
  /** Of the handle that belongs to it (net/handle-line.ts). */
  readonly identity: number
}

/** A connection that the master deals. Its handle travels beside it. */
export interface DealtNote {
  readonly id: number
  readonly port: string
  /** When it was dealt, by the machine's clock (`machineMs`). */
  readonly sentMs: number
  /** Of the handle that belongs to it (net/handle-line.ts). */
  readonly identity: number
}

/** What a worker needs to know to give its connections away. */
export interface LeaveOrder {
  readonly heirs: readonly { readonly owner: number; readonly slot: number }[]
  /** The ports whose connections can move: those that the heirs have, too. */
  readonly ports: readonly string[]
  /** How long moving may take at most. */
  readonly movesSeconds: number
  /** How long what cannot move is served from then on, and over how much of that time's end it is closed. */
  readonly maxWaitSeconds: number
  readonly spreadSeconds: number
}

/** What a process needs to begin. */
export interface ProcessStart {
  readonly config: Config
  readonly place: Place
  readonly owner: number
  /** The folder of the shared-memory store. */
  readonly store: string
  /** Whether it is the first of the daemon: `onDaemonStart` runs in it. */
  readonly isFirst?: boolean
  /** The unix socket it is to listen on for the others; none when it is alone in its process. */
  readonly bus?: string
  /** TypeScript modules that need not be stripped again. */
  readonly stripped?: readonly StrippedModule[]
}

/** Everything that the master says to another process; most of it to workers alone. A handle travels beside `listen` and `connection`. */
export type ToWorker =
  | { readonly type: 'start'; readonly start: ProcessStart }
  /** Open this port on the listening socket that comes with the message. */
  | { readonly type: 'listen'; readonly port: string; readonly address: string }
  /** Every handle has been sent, or, to what is no worker: begin. Report `ready`. */
  | { readonly type: 'opened'; readonly ports: readonly PortPlace[] }
  /** A connection that the master has accepted; to be answered with `taken`, or with `missed`. */
  | ({ readonly type: 'connection' } & DealtNote)
  /** Give the port's listening socket up until the next `listen`: other workers are to catch up. */
  | { readonly type: 'hold'; readonly port: string }
  /** To be answered with `peered`. */
  | { readonly type: 'peers'; readonly id: number; readonly peers: readonly BusPeer[] }
  /** Accept no more, and give the connections away. Said again when the heirs have changed. */
  | { readonly type: 'leave'; readonly order: LeaveOrder }
  /** A connection of another worker, with its handle. */
  | { readonly type: 'arrive'; readonly move: MoveNote }
  /** A connection could not be passed on: it stays. */
  | { readonly type: 'unmoved'; readonly id: number }
  /** Write a heap snapshot into this file; to be answered with `heap`. */
  | { readonly type: 'heap'; readonly file: string }
  /** A question for a duty; to be answered with `answered`. */
  | { readonly type: 'ask'; readonly id: number; readonly question: unknown }
  | { readonly type: 'report'; readonly id: number }
  /** The log file has been moved away. */
  | { readonly type: 'reopenLog' }
  /** With `isLast`, `onDaemonStop` is to run there once `last` has come. */
  | { readonly type: 'stop'; readonly maxWaitSeconds: number; readonly isLast?: boolean }
  /** All others have ended. */
  | { readonly type: 'last' }
  /** A process has died: `onWorkerError` is to run. */
  | { readonly type: 'died'; readonly death: ProcessDeath }

/** Everything that another process says to the master. */
export type ToMaster =
  /** It listens on the bus: the others can reach it. */
  | { readonly type: 'joined' }
  /** Handlers are constructed, nothing is open. */
  | { readonly type: 'loaded' }
  | { readonly type: 'failed'; readonly problems: readonly Problem[]; readonly message: string }
  | { readonly type: 'ready' }
  | { readonly type: 'peered'; readonly id: number }
  /** A connection for another worker, with its handle. */
  | { readonly type: 'move'; readonly move: MoveNote }
  /** Everything that can move now has moved. */
  | { readonly type: 'left' }
  | { readonly type: 'heap'; readonly error?: string }
  | { readonly type: 'answered'; readonly id: number; readonly answer?: unknown; readonly error?: string }
  | { readonly type: 'taken'; readonly id: number }
  /** A connection that was dealt has come without its handle, or with another one's. */
  | { readonly type: 'missed'; readonly id: number }
  /** The port now holds this many connections of its listening socket. */
  | { readonly type: 'accepted'; readonly port: string; readonly connections: number }
  /** Descriptors ran out and the port has let go of its listening socket: to be answered with `listen`. */
  | { readonly type: 'rested'; readonly port: string }
  | { readonly type: 'report'; readonly id?: number; readonly report: WorkerReport }
  /** A handler asked for it. */
  | { readonly type: 'stop' }
  | { readonly type: 'reload' }
  /** Somebody has sent SIGTERM to this process alone. */
  | { readonly type: 'terminated' }
  | { readonly type: 'stopped' }
  /** This process is stuck: kill it, and start another in its place. */
  | { readonly type: 'kill'; readonly owner: number }

const POST_KINDS = ['post', 'ask', 'answer', 'unanswered'] as const

export type PostKind = (typeof POST_KINDS)[number]

export function isPost(kind: BusMessage['kind']): kind is PostKind {
  return (POST_KINDS as readonly string[]).includes(kind)
}

/**
 * What processes say to each other, straight over the bus. `name` is a group, a port or a uid; fields that a kind does not use are empty.
 * `held` to `refused` are of a hand-over, `fd` is the number of the move then: the handle is here; the state; it goes on here; it cannot go on here.
 * `marked`: all that comes from here on went to the heirs, too; `name` says which.
 * `fence`: say `passed`, with the same number, when all that came before it has been handled.
 * The last four are of `post.ts`: `name` is the topic, `fd` the number of a question.
 */
export interface BusMessage {
  readonly kind:
    | 'send'
    | 'close'
    | 'publish'
    | 'broadcast'
    | 'join'
    | 'leave'
    | 'bind'
    | 'unbind'
    | 'held'
    | 'state'
    | 'arrived'
    | 'refused'
    | 'marked'
    | 'fence'
    | 'passed'
    | PostKind
  readonly fd: number
  readonly name: string
  readonly except: readonly number[]
  readonly payload: string | Uint8Array | undefined
}

/** Where a bus message came from: the owner number of its sender, whose messages count up. */
export interface BusOrigin {
  readonly owner: number
  readonly sequence: number
}
