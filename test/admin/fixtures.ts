import { once } from 'node:events'
import { request } from 'node:http'
import type { TestContext } from 'node:test'
import { AdminServer } from '../../src/admin/admin-server.ts'
import type { AdminParts } from '../../src/admin/routes.ts'
import type { DaemonStatus } from '../../src/admin/status.ts'
import type { Logger } from '../../src/contracts/logger.ts'
import type { Address } from '../../src/net/address.ts'

export const STATUS: DaemonStatus = {
  name: 'example',
  version: '0.1.0',
  appVersion: '',
  pid: 1,
  startedAt: '2026-01-01T00:00:00.000Z',
  uptimeSeconds: 1,
  state: 'ready',
  node: 'v26.0.0',
  memory: { rss: 1 },
  ports: [],
  workers: [],
  timers: [],
  processes: [],
  tables: [],
}

/** A log that keeps the messages of its errors. */
export function silentLog(errors: unknown[] = []): Logger {
  const silent = (): void => {}
  const log: Logger = {
    trace: silent,
    debug: silent,
    info: silent,
    warn: silent,
    error: (fields: object | string) => errors.push(fields),
    fatal: silent,
    level: 'silent',
    isLevelEnabled: () => false,
    child: () => log,
  }
  return log
}

interface Options extends Partial<AdminParts> {
  readonly token?: string
  readonly trusted?: boolean
  readonly log?: Logger
}

export function adminServer(options: Options = {}): AdminServer {
  return new AdminServer({ log: silentLog(), status: async () => STATUS, metrics: async () => 'x 1\n', readiness: () => undefined, stop: () => {}, ...options })
}

/** Opens a server for one test. Returns where requests go. */
export async function startAdmin(context: TestContext, options: Options = {}, address: Address = { host: '127.0.0.1', port: 0 }): Promise<Target> {
  const server = adminServer(options)
  context.after(() => server.stop())
  await server.start(address)
  if ('path' in address) return { socketPath: address.path }
  return { host: address.host, port: Number(server.address?.split(':').at(-1)) }
}

export type Target = { readonly socketPath: string } | { readonly host: string; readonly port: number }

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

export async function ask(
  target: Target,
  path: string,
  options: { readonly method?: string; readonly headers?: Readonly<Record<string, string>>; readonly body?: string } = {},
): Promise<Reply> {
  const sent = request({ ...target, path, method: options.method ?? 'GET', headers: options.headers ?? {}, agent: false })
  sent.end(options.body)
  const [response] = await once(sent, 'response')
  let body = ''
  for await (const chunk of response) body += chunk
  return { status: response.statusCode, headers: response.headers, body }
}
