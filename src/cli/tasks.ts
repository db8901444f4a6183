import { MAX_LISTED } from '../admin/task-routes.ts'
import type { TaskAnswer, TaskDetails, TaskView } from '../tasks/task-admin.ts'
import { formatColumns } from './columns.ts'
import { type ConfigOptions, findRunning } from './config-options.ts'
import { Control } from './control.ts'
import { EXIT, say } from './exit-code.ts'
import { formatCount } from './units.ts'

export interface TasksOptions extends ConfigOptions {
  readonly action: 'list' | 'failed' | 'retry' | 'drop' | 'show'
  readonly which: string | undefined
  readonly state?: 'waiting' | 'running' | 'failed' | undefined
  readonly limit: number
  readonly json: boolean
}

/** `polyport tasks`. */
export async function tasks(options: TasksOptions): Promise<number> {
  const { action, which, json } = options
  const isList = action === 'list' || action === 'failed'
  const mistake = isList ? wrongList(options) : wrongTask(options)
  if (mistake !== undefined) return say(mistake, EXIT.usage)
  const control = new Control((await findRunning(options)).runtimeDir)
  const answer = isList
    ? await control.listTasks(action === 'failed' ? 'failed' : (options.state ?? 'waiting'), options.limit)
    : await control.askTask(action, which ?? '')
  process.stdout.write(json ? `${JSON.stringify(isList || action === 'show' ? answer.tasks : { count: answer.count }, null, 2)}\n` : text(action, answer))
  return EXIT.done
}

function wrongList({ action, which, state, limit }: TasksOptions): string | undefined {
  if (which !== undefined) return `polyport tasks ${action} takes no number: one task is what polyport tasks show ${which} shows`
  if (action === 'failed' && state !== undefined && state !== 'failed') return '--state goes with polyport tasks list'
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= MAX_LISTED)) return `--limit must be a whole number from 1 to ${MAX_LISTED}`
  return undefined
}

function wrongTask({ action, which, state }: TasksOptions): string | undefined {
  const orAll = action === 'show' ? '' : ', or all'
  if (state !== undefined) return '--state goes with polyport tasks list'
  if (which === undefined) return `Which task? polyport tasks ${action} ID${orAll}`
  if (/^\d{1,16}$/.test(which) || (which === 'all' && action !== 'show')) return undefined
  return `Cannot ${action} task "${which}": expected its number${orAll}`
}

function text(action: TasksOptions['action'], answer: TaskAnswer): string {
  if (action === 'retry' || action === 'drop') {
    return `${formatCount(answer.count)} ${answer.count === 1 ? 'task' : 'tasks'} ${action === 'retry' ? 'to be tried again' : 'dropped'}\n`
  }
  if (action === 'show') return answer.tasks.map((task) => details(task as TaskDetails)).join('\n')
  return answer.tasks.length === 0 ? 'No tasks\n' : `${list(answer.tasks)}\n`
}

function list(found: readonly TaskView[]): string {
  const columns = [
    { title: 'TASK', isNumber: true },
    { title: 'CLASS' },
    { title: 'STATE' },
    { title: 'DELIVERED' },
    { title: 'DUE' },
    { title: 'TRIES' },
    { title: 'ERROR' },
  ]
  const rows = found.map((task) => [
    String(task.id),
    className(task),
    task.stage === 'finish' ? `${task.state} (finish)` : task.state,
    task.deliveredAt,
    task.state === 'failed' ? '' : task.due,
    `${task.attempts}/${task.tries}`,
    task.error === undefined ? '' : oneLine(`${task.error.name}: ${task.error.message}`),
  ])
  return formatColumns(columns, rows)
}

function details(task: TaskDetails): string {
  const { id, state, stage, deliveredAt, due, attempts, tries, kills, failedAt, error, input, output } = task
  const rows: [string, string][] = [
    ['task', String(id)],
    ['class', className(task)],
    ['state', `${state}, ${stage}`],
    ['delivered', deliveredAt],
    ['due', due],
    ['attempts', `${attempts} of ${tries}`],
    ['killed', `${kills} times`],
  ]
  if (failedAt !== undefined) rows.push(['failed', failedAt])
  rows.push(['input', input])
  if (output !== undefined) rows.push(['output', output])
  if (error !== undefined) rows.push(['error', error.stack ?? `${error.name}: ${error.message}`])
  return rows.map(([name, value]) => `${name.padEnd(11)}${value.replaceAll('\n', `\n${' '.repeat(11)}`)}\n`).join('')
}

function className({ class: name, event }: TaskView): string {
  return event === undefined ? name : `${name} (${event})`
}

function oneLine(value: string): string {
  const line = value.replaceAll(/\s+/g, ' ')
  return line.length > 100 ? `${line.slice(0, 99)}…` : line
}
