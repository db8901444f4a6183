import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { childrenOf, type DaemonOptions, DaemonProcess } from '../daemon-process.ts'

/** Tasks that leave a trace, and a port that delivers them. */
const FILES = {
  'tasks.ts': `
    import { appendFileSync, existsSync } from 'node:fs'
    import { Task } from 'polyport'
    /** Appends its number, and takes so long. */
    export class Note extends Task<{ n: number; ms: number }> {
      async handle({ n, ms }: { n: number; ms: number }) {
        if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
        appendFileSync('notes', n + '\\n')
      }
    }
    /** Runs until there is a file of the name release. */
    export class Held extends Task<number, string> {
      async handle(n: number) {
        while (!existsSync('release')) await new Promise((resolve) => setTimeout(resolve, 20))
        appendFileSync('notes', 'held ' + n + '\\n')
        return 'held ' + n
      }
    }
    export class Late extends Held {
      finish(output: string) { appendFileSync('finished', output + ' ' + this.daemon.worker.pid + '\\n') }
    }
    export class Poison extends Task<number> {
      handle(n: number) { appendFileSync('poisoned', n + '\\n'); process.kill(process.pid, 'SIGKILL') }
    }
    export class Block extends Task<number> {
      static timeoutMs = 300
      handle(ms: number) { const end = Date.now() + ms; while (Date.now() < end); }
    }
    export class Hang extends Task<number> {
      static timeoutMs = 300
      handle(ms: number) { return new Promise((resolve) => setTimeout(resolve, ms)) }
    }
    export class Finished extends Task<number, number> {
      handle(n: number) { return 2 * n }
      finish(output: number, input: number) { appendFileSync('finished', [input, output, this.daemon.worker.role, this.daemon.worker.pid].join(' ') + '\\n') }
    }
    export class Fails extends Task<string> {
      handle(word: string): void { appendFileSync('tries', Date.now() + '\\n'); throw new RangeError(word) }
    }
    export class Single extends Task<number> {
      static concurrency = 1
      async handle(n: number) {
        appendFileSync('single', '+')
        await new Promise((resolve) => setTimeout(resolve, 5))
        appendFileSync('single', '-')
      }
    }
    export class Timed extends Task<number> { handle(due: number) { appendFileSync('timed', due + ' ' + Date.now() + '\\n') } }
    export class Double extends Task<number, number> { handle(n: number) { return 2 * n } }
    export class Echo extends Task<unknown, unknown> { handle(input: unknown) { return input } }
  `,
  'door.ts': `
    import { HttpHandler } from 'polyport'
    import * as tasks from './tasks.ts'
    /** POST /Class with [inputs, options]: delivers one task for each input; /run/Class awaits the outputs. */
    export default class Door extends HttpHandler {
      override async onRequest(request, response) {
        let body = ''
        for await (const chunk of request) body += chunk
        const [inputs, options] = body === '' ? [[], {}] : JSON.parse(body)
        const [, first, second] = request.url.split('/')
        const type = tasks[second ?? first]
        const verb = second === undefined ? 'deliver' : 'run'
        const all = await Promise.allSettled(inputs.map((input) => this.daemon.tasks[verb](new type(input), options)))
        response.end(JSON.stringify(all.map((one) => one.status === 'fulfilled' ? { value: one.value } : { error: one.reason.name, message: one.reason.message })))
      }
    }
  `,
}

export type Delivered = readonly { readonly value?: unknown; readonly error?: string; readonly message?: string }[]

/** A daemon with task workers, in a folder of its own, and what its tasks have left there. */
export class TaskDaemon {
  readonly daemon: DaemonProcess

  constructor(daemon: DaemonProcess) {
    this.daemon = daemon
  }

  static async start(t: TestContext, tasks: object = {}, { config = {}, ...options }: DaemonOptions & { config?: object } = {}): Promise<TaskDaemon> {
    const daemon = await DaemonProcess.start(
      t,
      {
        ports: [{ name: 'door', protocol: 'http', port: 0, handler: './door.ts' }],
        tasks: { workers: 2, modules: ['./tasks.ts'], dataDir: './data', ...tasks },
        ...config,
      },
      {
        ...options,
        files: {
          ...FILES,
          // Tasks write into the folder of their daemon, wherever it was started.
          'tasks.ts': `process.chdir(import.meta.dirname)\n${FILES['tasks.ts']}`,
          ...options.files,
        },
      },
    )
    return new TaskDaemon(daemon)
  }

  async post(path: string, inputs: readonly unknown[], options: object = {}): Promise<Delivered> {
    const { host, port } = await this.daemon.address('door')
    const response = await fetch(`http://${host}:${port}/${path}`, { method: 'POST', body: JSON.stringify([inputs, options]) })
    assert.equal(response.status, 200)
    return (await response.json()) as Delivered
  }

  /** Lets Held end. */
  release(): void {
    writeFileSync(join(this.daemon.dir, 'release'), '')
  }

  lines(file: string): string[] {
    try {
      return readFileSync(join(this.daemon.dir, file), 'utf8').split('\n').filter(Boolean)
    } catch {
      return []
    }
  }

  /** The processes of a role, by the title that they give themselves. */
  pids(role: string): number[] {
    return childrenOf(this.daemon.pid).filter((pid) => titleOf(pid).startsWith(`polyport: ${role}`))
  }

  /** Resolves when `isTrue` is; it is asked every 50 ms. */
  async until(isTrue: () => boolean | Promise<boolean>, what: string, ms = 30_000): Promise<void> {
    const end = Date.now() + ms
    while (!(await isTrue())) {
      assert.ok(Date.now() < end, `${what} within ${ms} ms\n${this.daemon.lines.slice(-20).join('\n')}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

const WHILE_MS = 500
const PROBES = 4

/** Asks the port of a TaskDaemon for nothing, again and again, and looks how long that takes. */
export class Probe {
  readonly #ask: () => Promise<unknown>

  private constructor(ask: () => Promise<unknown>) {
    this.#ask = ask
  }

  static async open(t: TestContext, daemon: DaemonProcess): Promise<Probe> {
    const agent = new http.Agent({ keepAlive: true, maxSockets: PROBES })
    t.after(() => agent.destroy())
    const where = { ...(await daemon.address('door')), agent }
    return new Probe(async () => {
      const [response] = (await once(http.get(where), 'response')) as [http.IncomingMessage]
      await once(response.resume(), 'end')
    })
  }

  /** The time that 99 of 100 answers take at most, in milliseconds, of a while. */
  async p99(): Promise<number> {
    const times: number[] = []
    const end = performance.now() + WHILE_MS
    await Promise.all(
      Array.from({ length: PROBES }, async () => {
        while (performance.now() < end) {
          const startedAt = performance.now()
          await this.#ask()
          times.push(performance.now() - startedAt)
        }
      }),
    )
    return times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.POSITIVE_INFINITY
  }
}

function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}
