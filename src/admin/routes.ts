import { INDEX_PAGE } from './index-page.ts'
import type { DaemonStatus } from './status.ts'
import { taskQuestion } from './task-routes.ts'

/** What an admin server shows and does. */
export interface AdminParts {
  status(): Promise<DaemonStatus>
  /** The page of metrics, in Prometheus' text format. */
  metrics(): Promise<string>
  /** Why not every port of every worker listens; undefined when all do. */
  readiness(): string | undefined
  /** Reloads the daemon. @throws Error that says why the old code goes on */
  reload?(): Promise<void>
  /** Has the worker of a slot write a heap snapshot; resolves with the file's path. @throws Error */
  heap?(slot: number): Promise<string>
  /** Asks the process that holds the tasks. @throws Error */
  tasks?(question: unknown): Promise<unknown>
  /** Stops the daemon. Called after the request for it has been answered. */
  stop(): void
  /** How long that may take at most. */
  stopSeconds?(): number
}

export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
  /** Runs once the answer has left, or its client has gone. */
  readonly after?: () => void
}

export interface Route {
  /** GET routes answer HEAD too. */
  readonly method: 'GET' | 'POST'
  /** Health checks have no token and need none: they tell one word. */
  readonly isOpen: boolean
  answer(parts: AdminParts, query: URLSearchParams): Answer | Promise<Answer>
}

export const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['/', { method: 'GET', isOpen: false, answer: () => ({ status: 200, type: HTML, body: INDEX_PAGE }) }],
  ['/healthz', { method: 'GET', isOpen: true, answer: () => text(200, 'ok') }],
  ['/readyz', { method: 'GET', isOpen: true, answer: readyz }],
  ['/metrics', { method: 'GET', isOpen: false, answer: async (parts) => ({ status: 200, type: METRICS, body: await parts.metrics() }) }],
  ['/api/status', { method: 'GET', isOpen: false, answer: async (parts) => json(200, await parts.status()) }],
  ['/api/reload', { method: 'POST', isOpen: false, answer: reload }],
  ['/api/heap', { method: 'POST', isOpen: false, answer: heap }],
  ['/api/tasks', { method: 'GET', isOpen: false, answer: (parts, query) => tasks(parts, 'list', query) }],
  ['/api/tasks/show', { method: 'GET', isOpen: false, answer: (parts, query) => tasks(parts, 'show', query) }],
  ['/api/tasks/retry', { method: 'POST', isOpen: false, answer: (parts, query) => tasks(parts, 'retry', query) }],
  ['/api/tasks/drop', { method: 'POST', isOpen: false, answer: (parts, query) => tasks(parts, 'drop', query) }],
  ['/api/stop', { method: 'POST', isOpen: false, answer: stop }],
])

export function text(status: number, sentence: string): Answer {
  return { status, type: TEXT, body: `${sentence}\n` }
}

const TEXT = 'text/plain; charset=utf-8'
const HTML = 'text/html; charset=utf-8'
const METRICS = 'text/plain; version=0.0.4; charset=utf-8'

function json(status: number, value: unknown): Answer {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(value)}\n` }
}

function readyz(parts: AdminParts): Answer {
  const reason = parts.readiness()
  return reason === undefined ? text(200, 'ready') : text(503, `not ready: ${reason}`)
}

function stop(parts: AdminParts): Answer {
  return { ...json(202, { state: 'stopping', withinSeconds: parts.stopSeconds?.() }), after: () => parts.stop() }
}

async function reload(parts: AdminParts): Promise<Answer> {
  if (parts.reload === undefined) return text(409, 'This daemon runs inside another program: it cannot reload by itself')
  try {
    await parts.reload()
    return json(200, { state: 'reloaded' })
  } catch (error) {
    return text(422, error instanceof Error ? error.message : String(error))
  }
}

async function heap(parts: AdminParts, query: URLSearchParams): Promise<Answer> {
  const slot = Number(query.get('slot') ?? Number.NaN)
  if (parts.heap === undefined || !Number.isInteger(slot)) return text(422, 'Cannot write a heap snapshot: expected ?slot=N, the number of a worker')
  try {
    return json(200, { file: await parts.heap(slot) })
  } catch (error) {
    return text(422, error instanceof Error ? error.message : String(error))
  }
}

async function tasks(parts: AdminParts, verb: 'list' | 'show' | 'retry' | 'drop', query: URLSearchParams): Promise<Answer> {
  const question = taskQuestion(verb, query)
  if (typeof question === 'string') return text(422, `Cannot ${verb} tasks: ${question}`)
  try {
    return json(200, await parts.tasks?.(question))
  } catch (error) {
    return text(422, error instanceof Error ? error.message : String(error))
  }
}
