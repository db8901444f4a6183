import { fileURLToPath } from 'node:url'
import { AdminServer } from '../admin/admin-server.ts'
import { loadConfig, resolveConfig } from '../config/load-config.ts'
import type { Config, ConfigInput } from '../config/schema.ts'
import type { Daemon } from '../contracts/daemon.ts'
import type { Logger } from '../contracts/logger.ts'
import { ConfigError, ReloadError } from '../errors.ts'
import { LocalPost } from '../ipc/local-post.ts'
import { loadLifecycle } from '../lifecycle/load-lifecycle.ts'
import { createLog } from '../log/log.ts'
import { MetricsBook } from '../metrics/metrics-book.ts'
import { sharedMemoryDir } from '../shared/memory-folder.ts'
import { Store } from '../shared/store.ts'
import { loadTaskClasses } from '../tasks/load-task-classes.ts'
import { loadHandlers } from '../worker/load-handlers.ts'
import { Worker } from '../worker/worker.ts'
import { warnOfExpiry } from './certificates.ts'
import { EmbeddedStaff } from './embedded-staff.ts'
import { ListeningSockets } from './listening-sockets.ts'
import { Overview, type WorkerView } from './overview.ts'

// Two daemons in one process must not share their memory.
let numStarted = 0

/** A daemon of one worker in this process: what the master does, without processes. */
export class EmbeddedDaemon {
  readonly #config: Config
  readonly #book: MetricsBook
  readonly #overview: Overview
  readonly #startedAt = Date.now()
  #store: Store | undefined
  #sockets: ListeningSockets | undefined
  #worker: Worker | undefined
  #staff: EmbeddedStaff | undefined
  #post: LocalPost | undefined
  #admin: AdminServer | undefined
  #stopped: Promise<void> | undefined

  private constructor(config: Config) {
    this.#config = config
    this.#book = new MetricsBook(config.ports)
    this.#overview = new Overview({ config, appVersion: '', book: this.#book })
  }

  static async start(input: ConfigInput | string | URL): Promise<Daemon> {
    const file = input instanceof URL ? fileURLToPath(input) : input
    const config = typeof file === 'string' ? loadConfig(file) : resolveConfig(file)
    const embedded = new EmbeddedDaemon(config)
    try {
      return await embedded.#start()
    } catch (error) {
      await embedded.#stop()
      throw error
    }
  }

  async #start(): Promise<Daemon> {
    const config = { ...this.#config, workers: 1 }
    const { loaded, problems } = await loadHandlers(config)
    const lifecycle = await loadLifecycle(config)
    const classes = config.tasks === undefined ? undefined : await loadTaskClasses(config)
    problems.push(...lifecycle.problems, ...(classes?.problems ?? []))
    if (problems.length > 0) throw new ConfigError(problems)
    const dir = sharedMemoryDir(`${config.runtimeDir}/${process.pid}-${++numStarted}`)
    this.#store = Store.create({ dir })
    const log = createLog({ ...config.log, name: config.name, role: 'worker 0' })
    warnOfUnused(this.#config, log)
    const post = new LocalPost(log)
    this.#post = post
    const worker = new Worker({
      start: { config, place: { role: 'worker', index: 0 }, owner: 1, store: dir, isFirst: true },
      loaded,
      hooks: lifecycle.loaded,
      classes,
      log,
      post: post.join({ role: 'worker', index: 0 }, 1),
      onAccepted: () => {},
      onReload: async () => {
        throw new ReloadError('Cannot reload a daemon that runs inside this process: stop it and call createDaemon() again')
      },
      onStop: () => this.#stop(),
    })
    this.#worker = worker
    warnOfExpiry(config, log)
    this.#staff = await EmbeddedStaff.load({ config, daemon: worker.daemon, post })
    await worker.start()
    this.#sockets = await ListeningSockets.open(config.ports, 1)
    for (const socket of this.#sockets.all) {
      await worker.open(socket.config.name, socket.stream ?? socket.datagrams?.[0]?.handle, socket.address)
    }
    await this.#staff.start()
    await this.#openAdmin(worker)
    return worker.daemon
  }

  async #openAdmin(worker: Worker): Promise<void> {
    const { admin } = this.#config
    if (admin === undefined) return
    this.#admin = new AdminServer({
      ...(admin.token !== undefined && { token: admin.token }),
      log: worker.daemon.log,
      readiness: () => {
        if (this.#stopped !== undefined) return 'the daemon is stopping'
        return worker.isOverloaded ? 'the worker is overloaded' : undefined
      },
      tasks: async (question) => this.#staff?.askQueue(question),
      stop: () => void this.#stop(),
      status: async () => {
        this.#book.record(0, await worker.report())
        const addresses = new Map(worker.daemon.ports.map((port) => [port.name, port.address]))
        return this.#overview.status({ state: 'ready', addresses, workers: [this.#view], staff: this.#staff?.views ?? [], tables: worker.daemon.tables })
      },
      metrics: async () => {
        const report = await worker.report()
        const own = [...(report.duty?.metrics ?? []), ...(this.#staff?.report.metrics ?? [])]
        this.#book.record(0, { ...report, duty: { metrics: own, status: undefined } })
        return this.#overview.metrics({
          workers: [this.#view],
          staff: this.#staff?.views ?? [],
          missingWorkers: 0,
          isSettled: true,
          reloads: { done: 0, failed: 0, seconds: 0 },
          counts: worker.daemon.stats(),
          tables: worker.daemon.tables,
        })
      },
    })
    await this.#admin.start(admin.path === undefined ? { host: admin.host, port: admin.port ?? 0 } : { path: admin.path })
  }

  get #view(): WorkerView {
    return { index: 0, pid: process.pid, state: 'ready', startedAt: this.#startedAt, restarts: 0 }
  }

  #stop(): Promise<void> {
    this.#stopped ??= this.#end()
    return this.#stopped
  }

  async #end(): Promise<void> {
    const { maxWaitSeconds } = this.#config
    const staff = this.#staff?.stop(maxWaitSeconds) ?? Promise.resolve()
    await Promise.all([this.#worker?.stop(maxWaitSeconds, staff), staff])
    await this.#staff?.stopQueue(maxWaitSeconds)
    this.#post?.close()
    this.#sockets?.close()
    await this.#admin?.stop()
    this.#store?.destroy()
  }
}

/** Says what the config asks for that needs a process of its own. The same file may be right for `polyport start`: no reason not to begin. */
function warnOfUnused({ workers, user, group, maxRequests, maxMemory, watch }: Config, log: Logger): void {
  const asked = { workers: workers > 1, user, group, maxRequests, maxMemory, watch: watch.enabled }
  const keys = Object.entries(asked).flatMap(([key, value]) => (value === undefined || value === false ? [] : [key]))
  if (keys.length === 0) return
  log.warn({ keys }, 'Some of the config has no effect: createDaemon() runs one worker, inside the process that calls it, and as its user')
}
