import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { benchBullMq, hasRedis } from './bullmq.ts'
import { IDLE_CASES, RATIO_CASES, type RatioCase, RELOAD_CASES, RELOADED, TABLE_TARGETS, TASK_CASES, TASK_COUNTS, WAITING } from './cases.ts'
import { buildGenerator, generate, type Load } from './generator.ts'
import { idleCost } from './idle.ts'
import { printProfile } from './profile.ts'
import { echoesDuringReloads, reloadTime } from './reload.ts'
import { Report } from './report.ts'
import { type Ours, Server } from './server.ts'
import { benchTables } from './tables.ts'
import { benchTasks, type TaskFigures } from './tasks.ts'
import { benchWaiting } from './waiting-tasks.ts'

const USAGE = `npm run bench -- [options]

  --only RE      only the cases whose name matches
  --seconds N    seconds of each measurement (3)
  --rounds N     measurements of each side, in turn (5)
  --idle N       idle connections (10000)
  --cpu-prof     profile ours: bench/results/profiles, and a summary behind each case
`

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '5' },
    idle: { type: 'string', default: '10000' },
    'cpu-prof': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  process.stdout.write(USAGE)
  process.exit()
}

const seconds = Number(options.seconds)
const rounds = Number(options.rounds)
const report = new Report()

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.floor(middle - 0.5)] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2
}

async function measure(entry: RatioCase, which: string | Ours, profiles?: string): Promise<Load> {
  const server = await (typeof which === 'string' ? Server.peer(which) : Server.ours(which, profiles))
  try {
    return await generate(server, { ...entry, seconds })
  } finally {
    await server.stop()
  }
}

async function compare(entry: RatioCase): Promise<void> {
  const profiles = options['cpu-prof'] ? join(import.meta.dirname, 'results', 'profiles', entry.name.replace(/\W+/g, '-')) : undefined
  if (profiles !== undefined) rmSync(profiles, { recursive: true, force: true })
  const pairs: { ours: Load; peer: Load }[] = []
  // In turn, so that what else the machine does meets both.
  for (let round = 0; round < rounds; round++) pairs.push({ peer: await measure(entry, entry.peer), ours: await measure(entry, entry.ours, profiles) })
  const ratios = pairs.map(({ ours, peer }) => peer.serverCpuMicros / ours.serverCpuMicros)
  const ratio = median(ratios)
  const loads = pairs.flatMap(({ ours, peer }) => [ours, peer])
  const errors = loads.reduce((sum, load) => sum + load.errors, 0)
  const generatorBusy = Math.max(...loads.map((load) => load.generatorBusy))
  report.add({
    case: entry.name,
    unit: 'µs CPU/message',
    ours: median(pairs.map(({ ours }) => ours.serverCpuMicros)),
    peer: median(pairs.map(({ peer }) => peer.serverCpuMicros)),
    ratio,
    target: `>= ${Number(entry.target.toFixed(2))}`,
    isMet: ratio >= entry.target && errors === 0,
    notes: [...(errors > 0 ? [`${errors} errors`] : []), ...(generatorBusy > 0.9 ? [`generator at ${Math.round(100 * generatorBusy)} % of its core`] : [])],
    details: { ratios, generatorBusy, pairs },
  })
  if (profiles !== undefined) printProfile(profiles)
}

function tables(): void {
  for (const { name, perSecond } of benchTables(seconds)) {
    const target = TABLE_TARGETS[name] ?? 0
    report.add({ case: name, unit: 'a second', ours: perSecond, target: `>= ${target}`, isMet: perSecond >= target, notes: [] })
  }
}

async function idle({ name, ours, limit }: (typeof IDLE_CASES)[number]): Promise<void> {
  const server = await Server.ours(ours)
  try {
    const { rss, anon } = await idleCost(server, Number(options.idle), ours.protocol === 'websocket')
    report.add({
      case: name,
      unit: 'KiB of RSS',
      ours: rss,
      target: `<= ${limit}`,
      isMet: rss <= limit,
      notes: [`${anon.toFixed(2)} of them private`],
      details: { anon },
    })
  } finally {
    await server.stop()
  }
}

async function tasks(): Promise<void> {
  const isBeside = hasRedis()
  if (!isBeside) process.stdout.write('There is no redis-server (Debian: apt-get install redis-server): tasks are measured without BullMQ\n')
  const pairs: { ours: TaskFigures; peer: TaskFigures | undefined }[] = []
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    pairs.push({ peer: isBeside ? await benchBullMq(TASK_COUNTS) : undefined, ours: await benchTasks(TASK_COUNTS) })
  }
  for (const { name, key, target } of TASK_CASES) {
    const ours = median(pairs.map((pair) => pair.ours[key].perSecond))
    const peer = median(pairs.flatMap((pair) => pair.peer?.[key].perSecond ?? []))
    const cpu = (side: 'ours' | 'peer'): string => median(pairs.flatMap((pair) => pair[side]?.[key].cpuMicros ?? [])).toFixed(1)
    report.add({
      case: name,
      unit: 'a second',
      ours,
      ...(isBeside && { peer, ratio: ours / peer }),
      target: `>= ${target}`,
      isMet: !isBeside || ours / peer >= target,
      notes: [`${cpu('ours')} µs of CPU a task${isBeside ? `, BullMQ ${cpu('peer')}` : ''}`],
      details: { pairs },
    })
  }
}

async function waiting(): Promise<void> {
  const { count, inputBytes, limitMs, limitKib } = WAITING
  const { startMs, rss, anon } = await benchWaiting(count, inputBytes)
  const [kib, anonKib] = [rss / count, anon / count]
  report.add({ case: 'start over a million waiting tasks', unit: 'ms', ours: startMs, target: `<= ${limitMs}`, isMet: startMs <= limitMs, notes: [] })
  report.add({
    case: 'a waiting task in the queue',
    unit: 'KiB of RSS',
    ours: kib,
    target: `<= ${limitKib}`,
    isMet: kib <= limitKib,
    notes: [`${anonKib.toFixed(2)} of them private`],
  })
}

async function reloads(): Promise<void> {
  for (const { count, limitMs } of RELOAD_CASES) {
    const server = await Server.ours(RELOADED)
    try {
      const ms = await reloadTime(server, count)
      report.add({ case: `reload with ${count} connections`, unit: 'ms', ours: ms, target: `<= ${limitMs}`, isMet: ms <= limitMs, notes: [] })
    } finally {
      await server.stop()
    }
  }
  const server = await Server.ours(RELOADED)
  try {
    const { before, during } = await echoesDuringReloads(server, seconds)
    // Nobody asks for more: what new workers need to start they take from the same core.
    report.add({
      case: 'TCP echoes during reloads, against before',
      unit: 'a second',
      ours: during,
      peer: before,
      ratio: during / before,
      target: '> 0',
      isMet: during > 0,
      notes: [],
    })
  } finally {
    await server.stop()
  }
}

const isWanted = ({ name }: { name: string }): boolean => new RegExp(options.only, 'i').test(name)

buildGenerator()
for (const entry of RATIO_CASES.filter(isWanted)) await compare(entry)
if (isWanted({ name: 'table get set incr' })) tables()
for (const entry of IDLE_CASES.filter(isWanted)) await idle(entry)
if (isWanted({ name: 'reload' })) await reloads()
if (isWanted({ name: 'tasks' })) await tasks()
if (isWanted({ name: 'waiting' })) await waiting()
process.exitCode = report.save(options) ? 0 : 1
