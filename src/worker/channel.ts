import type { Logger } from '../contracts/logger.ts'
import { formatProblem, type Problem } from '../errors.ts'
import type { MoveNote, ToMaster, ToWorker } from '../ipc/messages.ts'
import { outliveReaders, reopenLog } from '../log/log.ts'
import { type Channel, HandleLine } from '../net/handle-line.ts'
import type { StreamHandle } from '../net/node-internals.ts'

/** The line of a child process to its master. */

const MASTER_LOOK_MS = 1000

let known: HandleLine | undefined

function line(): HandleLine {
  known ??= new HandleLine(process as Channel)
  return known
}

export function tell(message: ToMaster): void {
  // The master may be gone: then 'disconnect' ends this process.
  line().send(message, () => {})
}

/** Gives the master a connection for another worker. @param onLost called when the master has not got it */
export function tellMove(move: MoveNote, handle: StreamHandle, onLost: () => void): void {
  line().sendHandle({ type: 'move', move } satisfies ToMaster, handle, { mayOverlap: true, onLost }, () => {})
}

export function fail(problems: readonly Problem[]): void {
  tell({ type: 'failed', problems, message: problems.map(formatProblem).join('\n') })
}

export async function writeHeap(file: string): Promise<void> {
  try {
    const { writeHeapSnapshot } = await import('node:v8')
    writeHeapSnapshot(file)
    tell({ type: 'heap' })
  } catch (error) {
    tell({ type: 'heap', error: messageOf(error) })
  }
}

/** The last word; then this process ends, whatever users' code has left open. */
export function sayStopped(exitCode: 0 | 1 = 0): void {
  process.send?.({ type: 'stopped' } satisfies ToMaster, undefined, undefined, () => process.exit(exitCode))
}

/** What ends a child process from outside, or by a mistake in it. */
export function followMaster(parts: { isStopping: () => boolean; log: () => Logger | undefined; what: string }): void {
  // What users' code prints, that is: the log sees to itself.
  outliveReaders()
  // The terminal sends Ctrl-C to the whole group: the master decides.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => tell({ type: 'terminated' }))
  process.on('message', ({ type }: ToWorker) => {
    if (type === 'reopenLog') reopenLog()
  })
  // Without a master nobody could stop this process: it must not outlive it.
  const end = (): void => process.exit(parts.isStopping() ? 0 : 1)
  process.on('disconnect', end)
  // Node does not tell of it while a handle is on its way that nobody will ever take.
  setInterval(() => process.connected || end(), MASTER_LOOK_MS).unref()
  process.on('uncaughtException', (error) => {
    parts.log()?.fatal({ err: error }, `Uncaught exception: this ${parts.what} ends`)
    process.exit(1)
  })
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
