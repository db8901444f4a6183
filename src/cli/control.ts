import { join } from 'node:path'
import type { DaemonStatus } from '../admin/status.ts'
import { NotRunningError } from '../errors.ts'
import { request } from '../net/node-http.ts'
import type { TaskAnswer } from '../tasks/task-admin.ts'
import { VerbError } from './exit-code.ts'
import { explain } from './network-error.ts'

// A master answers at once; one that does not for this long is stuck.
const ANSWER_WAIT_MS = 10_000
// New workers start, and connections move.
const RELOAD_WAIT_MS = 300_000

/** The running daemon of a `runtimeDir`, asked over its control socket. */
export class Control {
  readonly #runtimeDir: string

  constructor(runtimeDir: string) {
    this.#runtimeDir = runtimeDir
  }

  /** @throws NotRunningError, VerbError */
  async status(): Promise<DaemonStatus> {
    return JSON.parse(await this.#ask('GET', '/api/status')) as DaemonStatus
  }

  /** Whether every port of every worker listens. @throws NotRunningError */
  async isReady(): Promise<boolean> {
    try {
      await this.#ask('GET', '/readyz')
      return true
    } catch (error) {
      if (error instanceof NotRunningError) throw error
      return false
    }
  }

  /**
   * Returns when the reload is done.
   * @throws NotRunningError, VerbError that says why the old code goes on
   */
  async reload(): Promise<void> {
    await this.#ask('POST', '/api/reload', RELOAD_WAIT_MS)
  }

  /** Returns the path of the snapshot. @throws NotRunningError, VerbError */
  async heap(slot: number): Promise<string> {
    return (JSON.parse(await this.#ask('POST', `/api/heap?slot=${slot}`, RELOAD_WAIT_MS)) as { file: string }).file
  }

  /** @throws NotRunningError, VerbError */
  async listTasks(state: 'waiting' | 'running' | 'failed', limit: number): Promise<TaskAnswer> {
    return JSON.parse(await this.#ask('GET', `/api/tasks?state=${state}&limit=${limit}`)) as TaskAnswer
  }

  /** @param which the number of a task, or `all` of those that have failed. @throws NotRunningError, VerbError */
  async askTask(verb: 'show' | 'retry' | 'drop', which: string): Promise<TaskAnswer> {
    const method = verb === 'show' ? 'GET' : 'POST'
    return JSON.parse(await this.#ask(method, `/api/tasks/${verb}?which=${encodeURIComponent(which)}`)) as TaskAnswer
  }

  /**
   * Tells the daemon to stop; it does so after this has returned.
   * @returns how long that may take, in seconds: by the config that it has, which may be another than the file's
   * @throws NotRunningError, VerbError
   */
  async stop(): Promise<number | undefined> {
    return (JSON.parse(await this.#ask('POST', '/api/stop')) as { withinSeconds?: number }).withinSeconds
  }

  #ask(method: string, path: string, waitMs: number = ANSWER_WAIT_MS): Promise<string> {
    const socketPath = join(this.#runtimeDir, 'polyport.sock')
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath, method, path, timeout: waitMs }, async (response) => {
        try {
          let body = ''
          for await (const chunk of response.setEncoding('utf8')) body += chunk
          if ((response.statusCode ?? 500) < 300) resolve(body)
          // What could not be done, in the daemon's own words.
          else if (response.statusCode === 422) reject(new VerbError(body.trim()))
          else reject(new VerbError(`The daemon answers ${response.statusCode} to ${path}: ${body.trim()}`))
        } catch (error) {
          reject(error)
        }
      })
      asked.on('timeout', () => asked.destroy(new Error(`no answer for ${waitMs / 1000} s`)))
      asked.on('error', (error: NodeJS.ErrnoException) => reject(isAbsence(error) ? this.#notRunning() : refusal(socketPath, error)))
      asked.end()
    })
  }

  #notRunning(): NotRunningError {
    return new NotRunningError(`No daemon is running: nothing answers in ${this.#runtimeDir}`)
  }
}

function refusal(socketPath: string, error: Error): VerbError {
  return new VerbError(`Cannot ask the daemon at ${socketPath}: ${explain(error)}`, { cause: error })
}

/** Whether nobody is at the socket. A reset or a broken pipe is a daemon that ends while it is asked. */
function isAbsence(error: NodeJS.ErrnoException): boolean {
  return ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTDIR'].includes(error.code ?? '')
}
