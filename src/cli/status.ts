import type { DaemonStatus, TasksStatus } from '../admin/status.ts'
import { formatColumns } from './columns.ts'
import { type ConfigOptions, findRunning } from './config-options.ts'
import { Control } from './control.ts'
import { EXIT } from './exit-code.ts'
import { formatBytes, formatCount, formatDuration } from './units.ts'

/** `polyport status`. */
export async function status(options: ConfigOptions & { readonly json: boolean }): Promise<number> {
  const { runtimeDir } = await findRunning(options)
  const answer = await new Control(runtimeDir).status()
  process.stdout.write(options.json ? `${JSON.stringify(answer, null, 2)}\n` : formatStatus(answer))
  return EXIT.done
}

/** The status for people. */
export function formatStatus(status: DaemonStatus): string {
  const parts = [summary(status), ports(status), workers(status)]
  if (status.tasks !== undefined) parts.push(tasks(status.tasks))
  if (status.timers.length > 0) parts.push(timers(status))
  if (status.processes.length > 0) parts.push(processes(status))
  if (status.tables.length > 0) parts.push(tables(status))
  return `${parts.join('\n\n')}\n`
}

function summary(status: DaemonStatus): string {
  const version = status.appVersion === '' ? '' : `, version ${status.appVersion}`
  return [
    `${status.name}${version}: ${status.state} for ${formatDuration(status.uptimeSeconds)}`,
    `Polyport ${status.version}, Node.js ${status.node.replace(/^v/, '')}, process ${status.pid}, ${formatBytes(status.memory.rss)}`,
  ].join('\n')
}

function ports(status: DaemonStatus): string {
  const number = (title: string): { title: string; isNumber: boolean } => ({ title, isNumber: true })
  const columns = [
    { title: 'PORT' },
    { title: 'PROTOCOL' },
    { title: 'ADDRESS' },
    number('OPEN'),
    number('ACCEPTED'),
    number('REFUSED'),
    number('MESSAGES IN'),
    number('OUT'),
    number('BYTES IN'),
    number('OUT'),
    number('ERRORS'),
  ]
  const rows = status.ports.map((port) => [
    port.name,
    port.protocol,
    port.address,
    ...[port.connections, port.accepted, port.refused, port.messagesIn, port.messagesOut].map(formatCount),
    ...[port.bytesIn, port.bytesOut].map(formatBytes),
    formatCount(port.errors),
  ])
  return formatColumns(columns, rows)
}

function workers(status: DaemonStatus): string {
  const columns = [
    { title: 'WORKER', isNumber: true },
    { title: 'PROCESS', isNumber: true },
    { title: 'STATE' },
    { title: 'UP' },
    { title: 'OPEN', isNumber: true },
    { title: 'MEMORY', isNumber: true },
    { title: 'RESTARTS', isNumber: true },
  ]
  const rows = status.workers.map((worker) => [
    String(worker.slot),
    String(worker.pid),
    worker.state,
    since(worker.startedAt),
    formatCount(worker.connections),
    formatBytes(worker.memory),
    formatCount(worker.restarts),
  ])
  return formatColumns(columns, rows)
}

function timers(status: DaemonStatus): string {
  const columns = [
    { title: 'TIMER' },
    { title: 'WHEN' },
    { title: 'STATE' },
    { title: 'NEXT IN' },
    { title: 'RUNS', isNumber: true },
    { title: 'SKIPPED', isNumber: true },
    { title: 'ERRORS', isNumber: true },
  ]
  const rows = status.timers.map(({ name, when, state, nextRunAt, runs, skipped, errors }) => [
    name,
    when,
    state,
    nextRunAt === null ? '' : formatDuration(Math.max(0, (Date.parse(nextRunAt) - Date.now()) / 1000)),
    ...[runs, skipped, errors].map(formatCount),
  ])
  return formatColumns(columns, rows)
}

function processes(status: DaemonStatus): string {
  const columns = [
    { title: 'PROCESS' },
    { title: 'PID', isNumber: true },
    { title: 'STATE' },
    { title: 'UP' },
    { title: 'MESSAGES', isNumber: true },
    { title: 'ERRORS', isNumber: true },
    { title: 'MEMORY', isNumber: true },
    { title: 'RESTARTS', isNumber: true },
  ]
  const rows = status.processes.map((process) => [
    `${process.name} ${process.index}`,
    String(process.pid),
    process.state,
    since(process.startedAt),
    ...[process.messages, process.errors].map(formatCount),
    formatBytes(process.memory),
    formatCount(process.restarts),
  ])
  return formatColumns(columns, rows)
}

function tasks({ waiting, running, failed, classes, workers }: TasksStatus): string {
  const number = (title: string): { title: string; isNumber: boolean } => ({ title, isNumber: true })
  const processes = formatColumns(
    [number('TASK WORKER'), number('PROCESS'), { title: 'STATE' }, { title: 'UP' }, number('TASKS'), number('MEMORY'), number('RESTARTS')],
    workers.map((worker) => [
      String(worker.index),
      String(worker.pid),
      worker.state,
      since(worker.startedAt),
      formatCount(worker.tasks),
      formatBytes(worker.memory),
      formatCount(worker.restarts),
    ]),
  )
  const summary = `Tasks: ${formatCount(waiting)} wait, ${formatCount(running)} run, ${formatCount(failed)} kept as failed`
  if (classes.length === 0) return `${processes}\n\n${summary}`
  const table = formatColumns(
    [{ title: 'CLASS' }, number('WAITING'), number('RUNNING'), number('DONE'), number('FAILED'), number('RETRIED'), { title: '' }],
    classes.map(({ name, missing, ...counts }) => [
      name,
      ...[counts.waiting, counts.running, counts.done, counts.failed, counts.retried].map(formatCount),
      missing ? 'no module exports it' : '',
    ]),
  )
  return `${processes}\n\n${summary}\n\n${table}`
}

function since(startedAt: string): string {
  return formatDuration(Math.max(0, (Date.now() - Date.parse(startedAt)) / 1000))
}

function tables(status: DaemonStatus): string {
  const columns = [{ title: 'TABLE' }, { title: 'ROWS', isNumber: true }, { title: 'SIZE', isNumber: true }]
  return formatColumns(
    columns,
    status.tables.map((table) => [table.name, formatCount(table.rows), formatCount(table.size)]),
  )
}
