import type { Logger } from '../contracts/logger.ts'
import { machineMs } from '../ipc/machine-clock.ts'
import type { DealtNote, LeaveOrder, ProcessStart, ToWorker } from '../ipc/messages.ts'
import { keepTickShape } from '../ipc/tick-shape.ts'
import { watchYoungBuffers } from '../ipc/young-buffers.ts'
import { loadLifecycle } from '../lifecycle/load-lifecycle.ts'
import { createLog } from '../log/log.ts'
import { importStripped } from '../modules/stripped.ts'
import { type DatagramHandle, identityOf, type StreamHandle } from '../net/node-internals.ts'
import { loadTaskClasses } from '../tasks/load-task-classes.ts'
import { fail, followMaster, messageOf, sayStopped, tell, tellMove, writeHeap } from './channel.ts'
import { loadHandlers } from './load-handlers.ts'
import type { Activity } from './reactor.ts'
import { Rest } from './rest.ts'
import { unoptimized } from './unoptimized.ts'
import { Worker, type WorkerParts } from './worker.ts'

/** The program of a worker process: does what the master says (ipc/messages.ts). */

// Often enough that little is lost of what a killed worker had counted.
const REPORT_MS = 500
// One that had nothing to do for so many has time to clean up.
const REST_TURNS = 2
// A worker that has nothing to do reports at every tenth of these times: that is most of what it does.
const IDLE_TURNS = 10
// The master balances workers by these: fine enough for that, and far from one message a connection.
const ACCEPT_STEP = 8

// Connections that cannot move are cut before this time behind `maxWaitSeconds`; the master waits for two seconds.
const CUT_MS = 500

// Before anything makes garbage.
keepTickShape()

let worker: Worker | undefined
let log: Logger | undefined
let isStopping = false

async function start(message: ProcessStart): Promise<void> {
  const { config, place, stripped = [] } = message
  importStripped(stripped)
  const slot = place.index
  process.title = `polyport: worker ${slot} ${config.name}`
  log = createLog({ ...config.log, name: config.name, role: `worker ${slot}` })
  const { loaded, problems } = await loadHandlers(config)
  const lifecycle = await loadLifecycle(config)
  const classes = config.tasks === undefined ? undefined : await loadTaskClasses(config)
  problems.push(...lifecycle.problems, ...(classes?.problems ?? []))
  if (problems.length > 0) return fail(problems)
  // What its ports need is loaded only now.
  const parts: WorkerParts = {
    start: message,
    loaded,
    hooks: lifecycle.loaded,
    classes,
    log,
    onAccepted: (port, connections) => accepted(port, connections, config.workers),
    onRested: (port) => tell({ type: 'rested', port }),
    onOverload: () => void report(),
    onMove: (move, handle) => tellMove(move, handle, () => worker?.stay(move.id)),
    onLeft: () => tell({ type: 'left' }),
    onJoined: () => tell({ type: 'joined' }),
    onReload: async () => tell({ type: 'reload' }),
    onStop: async () => tell({ type: 'stop' }),
  }
  worker = await unoptimized(() => new Worker(parts))
  try {
    await worker.start()
  } catch (error) {
    const { port } = error as { port?: { name: string; handler: string } }
    return fail([{ file: port?.handler ?? config.file, path: port === undefined ? '' : `port "${port.name}"`, message: messageOf(error) }])
  }
  watchYoungBuffers()
  tell({ type: 'loaded' })
  setInterval(reportNews, REPORT_MS).unref()
}

const rest = new Rest()
let reported: Activity = { numEvents: -1, numOpen: 0 }
let numSilent = 0

function reportNews(): void {
  const { activity } = worker as Worker
  if (activity.numEvents === reported.numEvents && activity.numOpen === reported.numOpen && ++numSilent < IDLE_TURNS) {
    if (numSilent === REST_TURNS) rest.cleanUp(activity.numOpen)
    return
  }
  reported = activity
  numSilent = 0
  void report()
}

const told = new Map<string, number>()

function accepted(port: string, connections: number, workers: number): void {
  if (workers === 1 || Math.abs(connections - (told.get(port) ?? 0)) < ACCEPT_STEP) return
  told.set(port, connections)
  tell({ type: 'accepted', port, connections })
}

async function report(id?: number): Promise<void> {
  if (worker === undefined) return
  tell({ type: 'report', ...(id !== undefined && { id }), report: await worker.report() })
}

async function open(port: string, handle: unknown, address: string): Promise<void> {
  try {
    await worker?.open(port, handle as StreamHandle | DatagramHandle | undefined, address)
  } catch (error) {
    tell({ type: 'failed', problems: [], message: messageOf(error) })
  }
}

/** A connection that the master has dealt. */
function take({ id, port, sentMs, identity }: DealtNote, handle: StreamHandle | undefined): void {
  if (handle === undefined || identityOf(handle) !== identity) {
    handle?.close()
    return tell({ type: 'missed', id })
  }
  worker?.adopt(port, handle, machineMs() - sentMs)
  tell({ type: 'taken', id })
}

let isLeaving = false

async function leave(order: LeaveOrder): Promise<void> {
  worker?.leave(order)
  if (isLeaving) return
  isLeaving = true
  await worker?.whenGone(order.maxWaitSeconds * 1000 + CUT_MS)
  await stop(0)
}

const othersEnded = Promise.withResolvers<void>()

async function stop(maxWaitSeconds: number, isLast = false): Promise<void> {
  if (isStopping) return
  isStopping = true
  await worker?.stop(maxWaitSeconds, isLast ? othersEnded.promise : undefined)
  // The last word on what was counted here.
  await report()
  sayStopped()
}

// Opening takes a turn of the event loop for some ports: what comes later waits for it.
let opening: Promise<void> = Promise.resolve()

process.on('message', (message: ToWorker, handle: unknown) => {
  if (message.type === 'start') void start(message.start)
  else if (message.type === 'listen') opening = opening.then(() => open(message.port, handle, message.address))
  else if (message.type === 'opened') void opening.then(() => tell({ type: 'ready' }))
  else if (message.type === 'connection') take(message, handle as StreamHandle | undefined)
  else if (message.type === 'hold') worker?.pauseAccepting(message.port)
  else if (message.type === 'arrive') worker?.hold(message.move, handle as StreamHandle | undefined)
  else if (message.type === 'unmoved') worker?.stay(message.id)
  else if (message.type === 'leave') void opening.then(() => leave(message.order))
  else if (message.type === 'peers') {
    worker?.setPeers(message.peers)
    tell({ type: 'peered', id: message.id })
  } else if (message.type === 'report') void report(message.id)
  else if (message.type === 'heap') void writeHeap(message.file)
  else if (message.type === 'died') worker?.died(message.death)
  else if (message.type === 'last') othersEnded.resolve()
  else if (message.type === 'stop') void stop(message.maxWaitSeconds, message.isLast)
})

followMaster({ isStopping: () => isStopping, log: () => log, what: 'worker' })
