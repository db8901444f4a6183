import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildGenerator, generate, type Load } from './generator.ts'
import { idleCost } from './idle.ts'
import { Server } from './server.ts'
import { benchTables } from './tables.ts'

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    idle: { type: 'string', default: '10000' },
    'cpu-prof': { type: 'string' },
  },
})
const seconds = Number(options.seconds)
const rounds = Number(options.rounds)

/** Messages per server CPU second, ours against a peer in the same run. */
interface Ratio {
  readonly name: string
  readonly protocol: string
  readonly handler: string
  readonly peer: string
  readonly mode: string
  readonly conns: number
  readonly inflight: number
  readonly target: number
}

const RATIOS: readonly Ratio[] = [
  { name: 'TCP echo, 1 in flight', protocol: 'tcp', handler: 'tcp', peer: 'tcp', mode: 'tcp', conns: 50, inflight: 1, target: 0.95 },
  { name: 'TCP echo, 16 in flight', protocol: 'tcp', handler: 'tcp', peer: 'tcp', mode: 'tcp', conns: 50, inflight: 16, target: 6 },
  { name: 'UDP echo', protocol: 'udp', handler: 'udp', peer: 'udp', mode: 'udp', conns: 50, inflight: 1, target: 0.95 },
  { name: 'HTTP hello, against node:http', protocol: 'http', handler: 'http', peer: 'http', mode: 'http', conns: 50, inflight: 1, target: 0.95 },
  { name: 'HTTP hello, against Fastify', protocol: 'http', handler: 'http', peer: 'fastify', mode: 'http', conns: 50, inflight: 1, target: 1 },
  {
    name: 'WebSocket echo, 1 in flight',
    protocol: 'websocket',
    handler: 'websocket',
    peer: 'websocket',
    mode: 'ws-echo',
    conns: 50,
    inflight: 1,
    target: 0.95,
  },
  {
    name: 'WebSocket echo, 16 in flight',
    protocol: 'websocket',
    handler: 'websocket',
    peer: 'websocket',
    mode: 'ws-echo',
    conns: 50,
    inflight: 16,
    target: 2.5,
  },
  { name: 'WebSocket publish to 500', protocol: 'websocket', handler: 'publish', peer: 'publish', mode: 'ws-fanout', conns: 500, inflight: 1, target: 1.5 },
]

interface Row {
  readonly case: string
  readonly ours: number
  readonly peer?: number
  readonly unit: string
  readonly ratio?: number
  readonly target: string
  readonly ok: boolean
  readonly generator?: number
}

const rows: Row[] = []

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0
}

async function load(server: Server, mode: string, conns: number, inflight: number, isPinned = true): Promise<Load> {
  try {
    return generate(mode, { port: server.port, pid: server.pid, seconds, conns, inflight, isPinned })
  } finally {
    await server.stop()
  }
}

function add(row: Row): void {
  rows.push(row)
  const figures = [row.ours, row.peer].filter((figure) => figure !== undefined).map((figure) => figure.toFixed(2).padStart(10))
  const ratio = row.ratio === undefined ? '' : `ratio ${row.ratio.toFixed(2)}`
  const generator = (row.generator ?? 0) > 0.9 ? `  (generator at ${Math.round((row.generator ?? 0) * 100)} % of its core)` : ''
  process.stdout.write(
    `${row.case.padEnd(36)} ${figures.join(' ').padEnd(22)} ${row.unit.padEnd(16)} ${ratio.padEnd(12)} ${row.target.padEnd(12)} ${row.ok ? 'ok' : 'MISSED'}${generator}\n`,
  )
}

async function ratio(entry: Ratio): Promise<void> {
  const ours: Load[] = []
  const peers: Load[] = []
  for (let round = 0; round < rounds; round++) {
    peers.push(await load(await Server.peer(entry.peer), entry.mode, entry.conns, entry.inflight))
    ours.push(await load(await Server.ours(entry.protocol, entry.handler, { cpuProf: options['cpu-prof'] }), entry.mode, entry.conns, entry.inflight))
  }
  const cost = (loads: readonly Load[]): number => median(loads.map((one) => one.server_cpu_us_per_msg))
  const value = median(ours.map((one, i) => (peers[i]?.server_cpu_us_per_msg ?? 0) / one.server_cpu_us_per_msg))
  const generator = Math.max(...ours.map((one) => one.busy))
  add({
    case: entry.name,
    ours: cost(ours),
    peer: cost(peers),
    unit: 'µs CPU/message',
    ratio: value,
    target: `>= ${entry.target}`,
    ok: value >= entry.target,
    generator,
  })
}

async function spread(): Promise<void> {
  const cost = async (workers: number): Promise<number> => {
    const runs: number[] = []
    for (let round = 0; round < rounds; round++) {
      runs.push((await load(await Server.ours('websocket', 'publish', { workers }), 'ws-fanout', 500, 1, false)).server_cpu_us_per_msg)
    }
    return median(runs)
  }
  const one = await cost(1)
  const two = await cost(2)
  add({ case: 'publish to 500 over 2 workers', ours: two, peer: one, unit: 'µs CPU/delivery', ratio: two / one, target: '<= 1.3', ok: two / one <= 1.3 })
}

async function idle(name: string, protocol: string, handler: string, limit: number): Promise<void> {
  const server = await Server.ours(protocol, handler)
  const { rss, anon } = await idleCost(server, Number(options.idle), protocol === 'websocket')
  await server.stop()
  add({ case: `idle ${name} connection`, ours: rss, peer: anon, unit: 'KiB (RSS, anon)', target: `<= ${limit}`, ok: rss <= limit })
}

const CASES: { name: string; run: () => Promise<void> }[] = [
  ...RATIOS.map((entry) => ({ name: entry.name, run: () => ratio(entry) })),
  { name: 'publish to 500 over 2 workers', run: spread },
  {
    name: 'table',
    run: async () => {
      const targets: Record<string, number> = { 'table get': 1_000_000, 'table set': 120_000, 'table incr': 120_000 }
      for (const { name, perSecond } of benchTables(seconds)) {
        const target = targets[name] ?? 0
        add({ case: name, ours: perSecond, unit: 'a second', target: `>= ${target}`, ok: perSecond >= target })
      }
    },
  },
  { name: 'idle TCP connection', run: () => idle('TCP', 'tcp', 'tcp', 6) },
  { name: 'idle WebSocket connection', run: () => idle('WebSocket', 'websocket', 'websocket', 12) },
]

buildGenerator()
for (const { name, run } of CASES) if (new RegExp(options.only, 'i').test(name)) await run()
mkdirSync(join(import.meta.dirname, 'results'), { recursive: true })
const result = { date: new Date().toISOString(), node: process.version, rows }
writeFileSync(join(import.meta.dirname, 'results', 'latest.json'), `${JSON.stringify(result, null, 2)}\n`)
