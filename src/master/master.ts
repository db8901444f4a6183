import { join } from 'node:path'
import { AdminServer } from '../admin/admin-server.ts'
import type { DaemonStatus } from '../admin/status.ts'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'
import type { Tables } from '../contracts/table.ts'
import { ReloadError } from '../errors.ts'
import type { ToMaster } from '../ipc/messages.ts'
import { MetricsBook } from '../metrics/metrics-book.ts'
import { Registry } from '../shared/registry.ts'
import { Store, sharedMemoryDir } from '../shared/store.ts'
import { createTables } from '../shared/tables.ts'
import { Balance } from './balance.ts'
import { Dealer } from './dealer.ts'
import { HeapSnapshots } from './heap-snapshots.ts'
import { type ListeningSocket, ListeningSockets } from './listening-sockets.ts'
import { giveSocket, openPorts } from './open-ports.ts'
import { Overview } from './overview.ts'
import { PidFile } from './pid-file.ts'
import { unchangeable } from './reload-rules.ts'
import { ServiceNotify } from './service-notify.ts'
import type { Slot } from './slot.ts'
import { Watch } from './watch.ts'
import { Watchdog } from './watchdog.ts'
import type { WorkerChild } from './worker-child.ts'
import { Workers } from './workers.ts'

export interface MasterParts {
  readonly config: Config
  readonly log: Logger
  readonly appVersion: string
  /** Reads the config anew, for a reload. @throws ConfigError */
  readonly readConfig: () => Promise<Config>
}

/** The process that holds no traffic: it starts workers, watches them, reports on them, replaces them and stops them. */
export class Master {
  #config: Config
  readonly #log: Logger
  readonly #readConfig: () => Promise<Config>
  readonly #overview: Overview
  readonly #pidFile: PidFile
  readonly #book: MetricsBook
  readonly #reloads = { done: 0, failed: 0, seconds: 0 }
  readonly #heaps: HeapSnapshots
  readonly #service: ServiceNotify
  readonly #watch: Watch
  #state: DaemonStatus['state'] = 'starting'
  #store: Store | undefined
  #registry: Registry | undefined
  #tables: Tables | undefined
  #sockets = new ListeningSockets()
  #workers: Workers | undefined
  #watchdog: Watchdog | undefined
  #dealer: Dealer | undefined
  #balance: Balance | undefined
  #control: AdminServer | undefined
  #admin: AdminServer | undefined
  /** Workers are replaced one time after the other. Never rejects. */
  #replacing: Promise<unknown> = Promise.resolve()
  /** A reload that waits for its turn. */
  #nextReload: Promise<void> | undefined
  #onEnd: ((code: number) => void) | undefined

  constructor(parts: MasterParts) {
    this.#config = parts.config
    this.#log = parts.log
    this.#readConfig = parts.readConfig
    this.#pidFile = new PidFile(parts.config.runtimeDir)
    this.#book = new MetricsBook(parts.config.ports)
    this.#overview = new Overview({ ...parts, book: this.#book })
    this.#service = new ServiceNotify(parts.log)
    this.#watch = new Watch({ log: parts.log, reload: () => this.reload() })
    this.#heaps = new HeapSnapshots({ dir: parts.config.runtimeDir, child: (slot) => this.#workers?.slots[slot]?.current })
  }

  /** Where each port listens, by name. */
  get addresses(): Map<string, string> {
    return new Map(this.#sockets.all.map((socket) => [socket.config.name, socket.address]))
  }

  get adminAddress(): string | undefined {
    return this.#admin?.address
  }

  /**
   * Resolves when every port of every worker listens. When it cannot, nothing is left open.
   * @throws ConfigError, BindError, AlreadyRunningError
   */
  async start(): Promise<void> {
    await this.#pidFile.take()
    try {
      await this.#open()
    } catch (error) {
      this.#workers?.kill()
      await this.#close()
      throw error
    }
    this.#state = 'ready'
    this.#service.ready()
    await this.#watch.follow(this.#config)
  }

  /** Resolves with the exit code when the daemon has ended. */
  ended(): Promise<number> {
    return new Promise((resolve) => {
      this.#onEnd = resolve
    })
  }

  /**
   * Puts new code and a new config to work, and disconnects nobody. A second reload waits for the first, and a third that is asked for
   * meanwhile is the same as the second. Resolves when every connection that can move has moved.
   * @throws ConfigError, BindError, ReloadError: the old code goes on with every connection
   */
  reload(): Promise<void> {
    this.#nextReload ??= this.#inTurn(() => {
      this.#nextReload = undefined
      return this.#countedReload()
    })
    return this.#nextReload
  }

  async #countedReload(): Promise<void> {
    const start = performance.now()
    this.#service.reloading()
    try {
      await this.#reload()
    } catch (error) {
      this.#reloads.failed++
      this.#log.error({ err: error }, 'Reload failed: the old code goes on')
      throw error
    } finally {
      this.#service.ready()
    }
    this.#reloads.done++
    this.#reloads.seconds = (performance.now() - start) / 1000
    this.#log.info({ seconds: this.#reloads.seconds, ports: this.#config.ports.length, workers: this.#config.workers }, 'Reloaded')
  }

  /** Stops in good order: no new connections, what was sent leaves, requests are answered. */
  async stop(): Promise<void> {
    if (this.#state === 'stopping') return
    this.#state = 'stopping'
    this.#log.info('Stopping')
    const said = this.#service.stopping()
    this.#dealer?.close()
    this.#balance?.close()
    await this.#workers?.stop(this.#config.maxWaitSeconds)
    await said
    await this.#close()
    this.#log.info('Stopped')
    this.#onEnd?.(0)
  }

  /** Ends everything now. */
  async abort(): Promise<void> {
    this.#state = 'stopping'
    this.#workers?.kill()
    await this.#close()
    this.#onEnd?.(1)
  }

  async #open(): Promise<void> {
    const config = this.#config
    const dir = sharedMemoryDir(config.runtimeDir)
    this.#store = Store.create({ dir })
    this.#registry = new Registry(this.#store)
    this.#tables = createTables(this.#store, config.tables, { dataDir: config.dataDir, isMaster: true })
    this.#control = this.#adminServer({ trusted: true })
    await this.#control.start({ path: join(config.runtimeDir, 'polyport.sock') })
    const workers = new Workers({
      store: dir,
      log: this.#log,
      open: (child) => openPorts(child, this.#sockets.all, this.#dealer !== undefined),
      onMessage: (slot, child, message) => this.#receive(slot, child, message),
      onReady: (slot, child) => this.#back(slot, child),
      onExit: (slot, child) => this.#exited(slot, child),
    })
    this.#workers = workers
    await workers.start(config)
    this.#sockets = await ListeningSockets.open(config.ports, config.workers)
    await this.#openAdmin()
    if (config.dispatch === 'kernel') this.#balance = new Balance(workers.slots, (slot, port) => this.#reopen(slot, port))
    else this.#dealer = new Dealer(workers.slots, config.dispatch)
    await workers.open(config)
    this.#deal(this.#sockets.all)
    this.#watchdog = new Watchdog({ workers, log: this.#log, replace: (slot, reason) => this.#recycle(slot, reason) })
    this.#watchdog.start()
  }

  async #reload(): Promise<void> {
    const workers = this.#workers
    if (this.#state !== 'ready' || workers === undefined) throw new ReloadError(`Cannot reload: the daemon is ${this.#state}`)
    const config = await this.#readConfig()
    const fixed = unchangeable(this.#config, config)
    if (fixed.length > 0) throw new ReloadError(`Cannot reload: ${fixed.join('; ')}`)
    const sockets = await this.#sockets.change(config.ports, config.workers)
    try {
      if (this.#store !== undefined) this.#tables = createTables(this.#store, config.tables, { dataDir: config.dataDir, isMaster: true })
      await workers.replaceAll(config, {
        open: (child) => openPorts(child, sockets.next, this.#dealer !== undefined),
        onReady: () => this.#adopt(config, sockets),
      })
    } catch (error) {
      sockets.undo()
      throw error
    }
  }

  /** The new workers serve from now on. */
  #adopt(config: Config, sockets: { readonly next: readonly ListeningSocket[]; keep(): void }): void {
    this.#config = config
    this.#overview.config = config
    this.#log.level = config.log.level
    void this.#watch.follow(config)
    for (const slot of this.#workers?.slots ?? []) this.#balance?.lost(slot)
    this.#deal(sockets.next)
    sockets.keep()
  }

  /** Replaces one worker by another that takes its connections over. */
  #recycle(slot: Slot, reason: string): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#state !== 'ready' || slot.current === undefined) return
      this.#log.info({ worker: slot.index, reason }, 'Replacing a worker')
      await this.#workers?.replace(slot, this.#config)
      this.#balance?.lost(slot)
    }).catch((error: unknown) => this.#log.error({ err: error, worker: slot.index }, 'Cannot replace a worker: the old one goes on'))
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#replacing.then(work)
    this.#replacing = done.catch(() => {})
    return done
  }

  #deal(sockets: readonly ListeningSocket[]): void {
    for (const socket of sockets) this.#dealer?.open(socket, (errno) => this.#log.warn({ errno, port: socket.config.name }, 'Cannot accept a connection'))
    this.#dealer?.ready()
  }

  /** Gives a ready worker back a listening socket that it had let go of. */
  #reopen(slot: Slot, port: string): void {
    const child = slot.current
    if (this.#state !== 'ready' || child?.isReady !== true) return
    for (const socket of this.#sockets.all) if (socket.config.name === port) giveSocket(child, socket, this.#dealer !== undefined)
  }

  async #openAdmin(): Promise<void> {
    const { admin } = this.#config
    if (admin === undefined) return
    this.#admin = this.#adminServer(admin.token === undefined ? {} : { token: admin.token })
    await this.#admin.start(admin.path === undefined ? { host: admin.host, port: admin.port ?? 0 } : { path: admin.path })
  }

  #adminServer(access: { trusted?: boolean; token?: string }): AdminServer {
    return new AdminServer({
      ...access,
      log: this.#log,
      status: () => this.#status(),
      metrics: () => this.#metrics(),
      readiness: () => this.#readiness(),
      reload: () => this.reload(),
      heap: (slot) => this.#heaps.write(slot),
      stop: () => void this.stop(),
    })
  }

  #receive(slot: Slot, child: WorkerChild, message: ToMaster): void {
    if (message.type === 'taken') this.#dealer?.taken(message.id)
    else if (message.type === 'report') this.#book.record(slot.index, message.report)
    else if (message.type === 'heap') this.#heaps.written(child, message.error)
    else if (message.type === 'stop') void this.stop()
    else if (message.type === 'reload') this.reload().catch(() => {})
    else if (message.type === 'failed') this.#log.error({ worker: slot.index }, `Worker cannot start: ${message.message}`)
    // What follows is of the one that serves: another may be draining beside it.
    else if (child !== slot.current) return
    else if (message.type === 'accepted') this.#balance?.accepted(slot, message.port, message.connections)
    else if (message.type === 'rested') this.#reopen(slot, message.port)
  }

  #back(slot: Slot, child: WorkerChild): void {
    this.#log.info({ worker: slot.index, pid: child.pid }, 'Worker ready')
    this.#dealer?.ready()
  }

  #exited(slot: Slot, child: WorkerChild): void {
    this.#store?.checkReaders()
    const purged = this.#registry?.purge(child.owner) ?? []
    if (purged.length > 0) this.#log.warn({ worker: slot.index, connections: purged.length }, 'Connections ended with their worker')
    this.#book.retire(child.pid ?? 0)
    if (slot.current === undefined) this.#balance?.lost(slot)
    this.#dealer?.lost(child)
  }

  #readiness(): string | undefined {
    if (this.#state !== 'ready') return `the daemon is ${this.#state}`
    const waiting = this.#workers?.slots.filter((slot) => !slot.isReady) ?? []
    if (waiting.length === 0) return undefined
    const delays = waiting.map(({ index, delayMs }) => `${index}${delayMs >= 1000 ? ` (keeps dying: tried again in ${delayMs / 1000} s)` : ''}`)
    return `worker ${delays.join(', ')} does not listen yet`
  }

  async #metrics(): Promise<string> {
    const workers = this.#workers?.views ?? []
    const answers = (await this.#workers?.refresh()) ?? { missingWorkers: 0, isSettled: false }
    const counts = this.#registry?.counts() ?? { users: 0, groups: 0 }
    return this.#overview.metrics({ workers, ...answers, counts, tables: this.#tables, reloads: this.#reloads })
  }

  async #status(): Promise<DaemonStatus> {
    await this.#workers?.refresh()
    return this.#overview.status({ state: this.#state, addresses: this.addresses, workers: this.#workers?.views ?? [], tables: this.#tables })
  }

  async #close(): Promise<void> {
    this.#watchdog?.stop()
    await this.#watch.stop()
    this.#sockets.close()
    await this.#admin?.stop()
    await this.#control?.stop()
    this.#store?.destroy()
    // A worker that was killed exits later; there is nothing left to take it out of.
    this.#store = undefined
    this.#registry = undefined
    this.#tables = undefined
    this.#pidFile.release()
  }
}
