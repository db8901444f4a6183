import type { TaskQuestion } from '../tasks/task-admin.ts'

/** What `polyport tasks` may ask, as the query of a request says it. @returns a sentence when it says nothing that can be asked */
export function taskQuestion(verb: 'list' | 'show' | 'retry' | 'drop', query: URLSearchParams): TaskQuestion | string {
  if (verb === 'list') return listQuestion(query)
  const which = query.get('which') ?? ''
  if (which === 'all' && verb !== 'show') return { verb, which }
  if (!/^\d{1,16}$/.test(which)) return `expected ?which=N, the number of a task${verb === 'show' ? '' : ', or ?which=all'}`
  return verb === 'show' ? { verb, id: Number(which) } : { verb, which: Number(which) }
}

const STATES = ['waiting', 'running', 'failed'] as const
export const MAX_LISTED = 10_000

function listQuestion(query: URLSearchParams): TaskQuestion | string {
  const state = STATES.find((known) => known === (query.get('state') ?? 'waiting'))
  const limit = Number(query.get('limit') ?? 100)
  if (state === undefined) return `expected ?state= to be one of ${STATES.join(', ')}`
  if (!(Number.isInteger(limit) && limit > 0 && limit <= MAX_LISTED)) return `expected ?limit= to be 1 to ${MAX_LISTED}`
  return { verb: 'list', state, limit }
}
