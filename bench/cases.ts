import type { LoadOptions } from './generator.ts'
import type { Ours } from './server.ts'

/** A load that ours and a peer are put under in turn. */
export interface RatioCase extends Omit<LoadOptions, 'seconds'> {
  readonly name: string
  readonly ours: Ours
  /** A program of bench/peers, or ours in another form. */
  readonly peer: string | Ours
  /** The least ratio of messages per CPU second, ours / peer. */
  readonly target: number
}

const tcp: Ours = { protocol: 'tcp', handler: 'tcp' }
const http: Ours = { protocol: 'http', handler: 'http' }
const websocket: Ours = { protocol: 'websocket', handler: 'websocket' }
const publish: Ours = { protocol: 'websocket', handler: 'publish' }

export const RATIO_CASES: readonly RatioCase[] = [
  { name: 'TCP echo, 1 in flight', ours: tcp, peer: 'tcp', mode: 'tcp', conns: 50, inflight: 1, target: 0.95 },
  { name: 'TCP echo, 16 in flight', ours: tcp, peer: 'tcp', mode: 'tcp', conns: 50, inflight: 16, target: 6 },
  { name: 'UDP echo', ours: { protocol: 'udp', handler: 'udp' }, peer: 'udp', mode: 'udp', conns: 50, inflight: 1, target: 0.95 },
  { name: 'HTTP hello, against node:http', ours: http, peer: 'http', mode: 'http', conns: 50, inflight: 1, target: 0.95 },
  { name: 'HTTP hello, against Fastify', ours: http, peer: 'fastify', mode: 'http', conns: 50, inflight: 1, target: 1 },
  {
    name: 'Express hello, against node:http',
    ours: { protocol: 'http', handler: 'express' },
    peer: 'express',
    mode: 'http',
    conns: 50,
    inflight: 1,
    target: 0.95,
  },
  { name: 'WebSocket echo, 1 in flight', ours: websocket, peer: 'websocket', mode: 'ws-echo', conns: 50, inflight: 1, target: 0.95 },
  { name: 'WebSocket echo, 16 in flight', ours: websocket, peer: 'websocket', mode: 'ws-echo', conns: 50, inflight: 16, target: 2.5 },
  { name: 'WebSocket publish to 500', ours: publish, peer: 'publish', mode: 'ws-publish', conns: 500, inflight: 1, target: 1.5 },
  {
    name: 'WebSocket publish to 500, 2 workers against 1',
    ours: { ...publish, workers: 2, dispatch: 'round-robin' },
    peer: publish,
    mode: 'ws-publish',
    conns: 500,
    inflight: 1,
    // No more than 1.3 times the CPU time.
    target: 1 / 1.3,
  },
]

/** Operations a second, by the names that benchTables gives. */
export const TABLE_TARGETS: Readonly<Record<string, number>> = { 'table get': 1_000_000, 'table set': 120_000, 'table incr': 120_000 }

/** KiB of RSS of the worker for each connection. */
export const IDLE_CASES: readonly { name: string; ours: Ours; limit: number }[] = [
  { name: 'idle TCP connection', ours: tcp, limit: 6 },
  { name: 'idle WebSocket connection', ours: websocket, limit: 12 },
]

export const RELOADED: Ours = tcp

/** Milliseconds until the new worker has every connection. */
export const RELOAD_CASES: readonly { count: number; limitMs: number }[] = [
  { count: 0, limitMs: 1500 },
  { count: 300, limitMs: 1500 },
  { count: 1000, limitMs: 3000 },
  { count: 10_000, limitMs: 10_000 },
]

/** Tasks, beside BullMQ on a redis-server of its own: how many, and how many times as fast ours are to be. */
export const TASK_COUNTS = { one: 1000, burst: 30_000, process: 50_000 } as const
/** A million tasks that wait: milliseconds until the daemon is ready again, KiB of the queue for each. */
export const WAITING = { count: 1_000_000, inputBytes: 100, limitMs: 30_000, limitKib: 1 } as const
export const TASK_CASES = [
  { name: 'tasks delivered one by one', key: 'one', target: 0 },
  { name: 'tasks delivered in bursts of 1000', key: 'burst', target: 3 },
  { name: 'no-op tasks through two task workers', key: 'process', target: 3 },
] as const
