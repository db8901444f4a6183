import type { PortInfo } from '../contracts/daemon.ts'
import type { Logger } from '../contracts/logger.ts'
import type { Duty } from '../ipc/duty.ts'
import type { PortPlace, ProcessStart, ToWorker } from '../ipc/messages.ts'
import { placeText } from '../ipc/place.ts'
import { keepTickShape } from '../ipc/tick-shape.ts'
import { loadLifecycle } from '../lifecycle/load-lifecycle.ts'
import { createLog } from '../log/log.ts'
import { WorkerMetrics } from '../metrics/worker-metrics.ts'
import { importStripped } from '../modules/stripped.ts'
import { fail, followMaster, messageOf, sayStopped, tell, writeHeap } from './channel.ts'
import { DUTIES } from './duties.ts'
import { Member } from './member.ts'

/** The program of a process that is no worker: does what the master says (ipc/messages.ts). */

// Often enough that little is lost of what a killed process had counted.
const REPORT_MS = 500

// Before anything makes garbage.
keepTickShape()

let log: Logger | undefined
let member: Member | undefined
let duty: Duty | undefined
let metrics: WorkerMetrics | undefined
let ports: readonly PortInfo[] = []
let isStopping = false

async function start(message: ProcessStart): Promise<void> {
  const { config, place, stripped = [] } = message
  importStripped(stripped)
  const title = placeText(place)
  process.title = `polyport: ${title} ${config.name}`
  log = createLog({ ...config.log, name: config.name, role: title })
  ports = config.ports.map(({ name, protocol }) => ({ name, protocol, address: '', connections: 0 }))
  // What holds the tasks runs nobody's code.
  const hooks = place.role === 'queue' ? { loaded: [], problems: [] } : await loadLifecycle(config)
  member = new Member({
    start: message,
    log,
    hooks: hooks.loaded,
    ports: () => ports,
    onReload: async () => tell({ type: 'reload' }),
    onStop: async () => tell({ type: 'stop' }),
  })
  const { daemon, post, userMetrics } = member
  const create = DUTIES[place.role]
  if (create === undefined) throw new RangeError(`There is no duty for role "${place.role}"`)
  duty = await create({
    config,
    place,
    memoryDir: message.store,
    daemon,
    post,
    log,
    kill: (owner) => tell({ type: 'kill', owner }),
    end: (exitCode) => void stop(0, exitCode),
  })
  metrics = new WorkerMetrics({ ports: () => [], custom: () => userMetrics.custom() })
  metrics.start()
  await member.start()
  tell({ type: 'joined' })
  try {
    const problems = [...hooks.problems, ...(await duty.load())]
    if (problems.length > 0) return fail(problems)
  } catch (error) {
    return fail([{ file: config.file, path: '', message: `${title}: ${messageOf(error)}` }])
  }
  tell({ type: 'loaded' })
  setInterval(report, REPORT_MS).unref()
}

async function open(places: readonly PortPlace[]): Promise<void> {
  ports = ports.map((port) => ({ ...port, address: places.find(({ name }) => name === port.name)?.address ?? '' }))
  try {
    await member?.lifecycle.call('onWorkerStart')
    await duty?.start()
    tell({ type: 'ready' })
  } catch (error) {
    log?.error({ err: error }, 'Cannot begin')
    tell({ type: 'failed', problems: [], message: messageOf(error) })
  }
}

async function report(id?: number): Promise<void> {
  if (metrics === undefined || duty === undefined) return
  const { metrics: counted, status } = duty.report()
  const own = member?.metrics ?? []
  tell({ type: 'report', ...(id !== undefined && { id }), report: { ...(await metrics.report()), duty: { metrics: [...counted, ...own], status } } })
}

async function answer(id: number, question: unknown): Promise<void> {
  try {
    if (duty?.ask === undefined) throw new TypeError('This process answers no questions')
    tell({ type: 'answered', id, answer: await duty.ask(question) })
  } catch (error) {
    tell({ type: 'answered', id, error: messageOf(error) })
  }
}

let isLeaving = false

async function leave(): Promise<void> {
  if (isLeaving) return
  isLeaving = true
  await duty?.leave()
  await stop(0)
}

async function stop(maxWaitSeconds: number, exitCode: 0 | 1 = 0): Promise<void> {
  if (isStopping) return
  isStopping = true
  member?.work.end()
  await duty?.stop(maxWaitSeconds)
  await member?.lifecycle.call('onWorkerStop')
  metrics?.stop()
  await report()
  await member?.stop()
  sayStopped(exitCode)
}

process.on('message', (message: ToWorker) => {
  if (message.type === 'start') void start(message.start)
  else if (message.type === 'opened') void open(message.ports)
  else if (message.type === 'leave') void leave()
  else if (message.type === 'peers') {
    member?.setPeers(message.peers)
    tell({ type: 'peered', id: message.id })
  } else if (message.type === 'report') void report(message.id)
  else if (message.type === 'ask') void answer(message.id, message.question)
  else if (message.type === 'heap') void writeHeap(message.file)
  else if (message.type === 'stop') void stop(message.maxWaitSeconds)
})

followMaster({ isStopping: () => isStopping, log: () => log, what: 'process' })
