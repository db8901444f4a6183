import type { DaemonStatus } from '../admin/status.ts'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'
import { ReloadError } from '../errors.ts'
import { MetricsBook } from '../metrics/metrics-book.ts'
import { AdminPorts } from './admin-ports.ts'
import { Dispatch } from './dispatch.ts'
import { HeapSnapshots } from './heap-snapshots.ts'
import { type ListeningSocket, ListeningSockets } from './listening-sockets.ts'
import { openPorts } from './open-ports.ts'
import { Overview } from './overview.ts'
import { PidFile } from './pid-file.ts'
import { accountOf, giveFolder } from './privileges.ts'
import { whyNotReady } from './readiness.ts'
import { Reception } from './reception.ts'
import { unchangeable } from './reload-rules.ts'
import { Reloads } from './reloads.ts'
import { Roster } from './roster.ts'
import { ServiceNotify } from './service-notify.ts'
import { SharedState } from './shared-state.ts'
import type { Slot } from './slot.ts'
import { type Prepared, Staff } from './staff.ts'
import { longestStopSeconds, queueSeconds } from './stop-time.ts'
import { Watch } from './watch.ts'
import { Watchdog } from './watchdog.ts'
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
  readonly #reloads: Reloads
  readonly #heaps: HeapSnapshots
  readonly #service: ServiceNotify
  readonly #admin: AdminPorts
  readonly #watch: Watch
  #state: DaemonStatus['state'] = 'starting'
  #shared: SharedState | undefined
  #sockets = new ListeningSockets()
  readonly #roster = new Roster()
  #workers: Workers | undefined
  #staff: Staff | undefined
  #watchdog: Watchdog | undefined
  readonly #reception: Reception
  #dispatch: Dispatch | undefined
  #onEnd: ((code: number) => void) | undefined
  #stopped: Promise<void> | undefined

  constructor(parts: MasterParts) {
    this.#config = parts.config
    this.#log = parts.log
    this.#readConfig = parts.readConfig
    this.#pidFile = new PidFile(parts.config.runtimeDir)
    const book = new MetricsBook(parts.config.ports)
    this.#overview = new Overview({ ...parts, book })
    this.#service = new ServiceNotify(parts.log)
    this.#reloads = new Reloads({ log: parts.log, service: this.#service })
    this.#watch = new Watch({ log: parts.log, reload: () => this.reload() })
    this.#admin = new AdminPorts({
      log: parts.log,
      status: () => this.#status(),
      metrics: () => this.#metrics(),
      readiness: () => whyNotReady(this.#state, this.#workers?.slots, this.#staff?.slots),
      reload: () => this.reload(),
      heap: (slot) => this.#heaps.write(slot),
      tasks: async (question) => this.#staff?.askQueue(question),
      stop: () => void this.stop(),
      stopSeconds: () => longestStopSeconds(this.#config),
    })
    this.#heaps = new HeapSnapshots({ dir: parts.config.runtimeDir, child: (slot) => this.#workers?.slots[slot]?.current })
    this.#reception = new Reception({
      log: parts.log,
      book,
      heaps: this.#heaps,
      now: () => ({ workers: this.#workers, staff: this.#staff, dispatch: this.#dispatch, shared: this.#shared }),
      stop: () => void this.stop(),
      reload: () => void this.reload().catch(() => {}),
      recycle: (slot, reason) => void this.#recycle(slot, reason),
    })
  }

  /** Where each port listens, by name. */
  get addresses(): Map<string, string> {
    return new Map(this.#sockets.all.map(({ config, address }) => [config.name, address]))
  }

  get adminAddress(): string | undefined {
    return this.#admin.address
  }

  /**
   * Resolves when every port of every worker listens. When it cannot, nothing is left open.
   * @returns false when it has been stopped meanwhile
   * @throws ConfigError, BindError, AlreadyRunningError
   */
  async start(): Promise<boolean> {
    await this.#pidFile.take()
    const failure = await this.#open().then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    const isStopped = this.#state === 'stopping'
    if (isStopped || failure !== undefined) {
      await this.#stopped
      // Also what was opened behind the back of the stop.
      await this.#endNow()
      if (isStopped) return false
      throw failure?.error
    }
    this.#state = 'ready'
    this.#service.ready()
    await this.#watch.follow(this.#config)
    return true
  }

  /** Resolves with the exit code when the daemon has ended. */
  ended(): Promise<number> {
    return new Promise((resolve) => void (this.#onEnd = resolve))
  }

  /**
   * Puts new code and a new config to work, and disconnects nobody. A second reload waits for the first, and a third that is asked for
   * meanwhile is the same as the second. Resolves when every connection that can move has moved.
   * @throws ConfigError, BindError, ReloadError: the old code goes on with every connection
   */
  reload(): Promise<void> {
    this.#roster.reopenLogs()
    return this.#reloads.request(() => this.#reload())
  }

  /** Stops in good order: no new connections, what was sent leaves, requests are answered. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop())
  }

  async #stop(): Promise<void> {
    if (this.#state === 'stopping') return
    this.#state = 'stopping'
    this.#log.info('Stopping')
    const said = this.#service.stopping()
    this.#dispatch?.close()
    const begun = performance.now()
    const { maxWaitSeconds } = this.#config
    const staff = this.#staff?.stop(maxWaitSeconds)
    await Promise.all([this.#workers?.stop(maxWaitSeconds, staff), staff])
    await this.#staff?.stopQueue(queueSeconds(this.#config, (performance.now() - begun) / 1000))
    await said
    await this.#close()
    this.#log.info('Stopped')
    this.#onEnd?.(0)
  }

  /** Ends everything now. */
  async abort(): Promise<void> {
    this.#state = 'stopping'
    await this.#endNow()
    this.#onEnd?.(1)
  }

  #endNow(): Promise<void> {
    for (const group of [this.#workers, this.#staff]) group?.kill()
    return this.#close()
  }

  async #open(): Promise<void> {
    const config = this.#config
    const account = accountOf(config, this.#log)
    this.#heaps.account = account
    this.#shared = await SharedState.make(config, { uid: account?.uid, log: this.#log })
    const parts = { store: this.#shared.dir, log: this.#log, account, roster: this.#roster }
    if (account !== undefined) for (const folder of [parts.store, config.dataDir, config.tasks?.dataDir]) giveFolder(folder, account)
    await this.#admin.openControl(config.runtimeDir)
    const workers = new Workers({
      ...parts,
      open: (child) => openPorts(child, this.#sockets.all, this.#dispatch?.isDealt === true),
      onMessage: (slot, child, message) => this.#reception.hearWorker(slot, child, message),
      onReady: (slot, child) => this.#reception.workerReady(slot, child),
      onExit: (slot, child, death) => this.#reception.workerEnded(slot, child, death),
    })
    this.#workers = workers
    this.#staff = new Staff({
      ...parts,
      ports: () => Array.from(this.addresses, ([name, address]) => ({ name, address })),
      onMessage: (child, message) => this.#reception.hearStaff(child, message),
      onExit: (child, death) => this.#reception.staffEnded(child, death),
    })
    await Promise.all([this.#staff.startQueue(config), workers.startFirst(config)])
    await Promise.all([workers.start(config), this.#staff.start(config)])
    this.#sockets = await ListeningSockets.open(config.ports, config.workers)
    await this.#admin.openAdmin(config)
    this.#dispatch = new Dispatch({ ...parts, mode: config.dispatch, slots: workers.slots, sockets: () => this.#sockets.all, book: this.#overview.book })
    await workers.open()
    this.#dispatch.open(this.#sockets.all)
    await this.#staff.open()
    this.#watchdog = new Watchdog({ workers, staff: this.#staff, log: this.#log, replace: (slot, reason) => this.#recycle(slot, reason) })
    this.#watchdog.start()
  }

  async #reload(): Promise<void> {
    const workers = this.#workers
    if (this.#state !== 'ready' || workers === undefined) throw new ReloadError(`Cannot reload: the daemon is ${this.#state}`)
    const config = await this.#readConfig()
    const fixed = unchangeable(this.#config, config)
    if (fixed.length > 0) throw new ReloadError(`Cannot reload: ${fixed.join('; ')}`)
    const sockets = await this.#sockets.change(config.ports, config.workers)
    let prepared: Prepared | undefined
    try {
      prepared = await this.#staff?.prepare(config)
      this.#shared?.setTables(config)
      await workers.replaceAll(config, {
        open: (child) => openPorts(child, sockets.next, this.#dispatch?.isDealt === true),
        onReady: () => {
          this.#adopt(config, sockets)
          prepared?.takeOver()
        },
      })
    } catch (error) {
      prepared?.undo()
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
    for (const slot of this.#workers?.slots ?? []) this.#dispatch?.changed(slot)
    this.#dispatch?.open(sockets.next)
    sockets.keep()
  }

  /** Replaces one worker by another that takes its connections over. Resolves with whether it is no longer there. */
  async #recycle(slot: Slot, reason: string): Promise<boolean> {
    const { current } = slot
    try {
      await this.#reloads.inTurn(async () => {
        // Something else has done away with it while this waited for its turn.
        if (this.#state !== 'ready' || slot.current !== current) return
        this.#log.info({ worker: slot.index, reason }, 'Replacing a worker')
        await this.#workers?.replace(slot, this.#config)
        this.#dispatch?.changed(slot)
      })
      return true
    } catch (error) {
      this.#log.error({ err: error, worker: slot.index }, 'Cannot replace a worker: the old one goes on')
      return false
    }
  }

  /**
   * Puts new task workers in the place of the old ones, with the code that is there now and the config that the daemon has. (Swoole: SIGUSR2.)
   * @throws ConfigError, ReloadError
   */
  reloadTasks(): Promise<void> {
    return this.#reloads.inTurn(async () => {
      if (this.#state !== 'ready') throw new ReloadError(`Cannot reload: the daemon is ${this.#state}`)
      const prepared = await this.#staff?.prepare(this.#config, ({ place }) => place.role === 'task')
      prepared?.takeOver()
      this.#log.info('Task workers replaced')
    })
  }

  async #metrics(): Promise<string> {
    const [workers, staff] = [this.#workers?.views ?? [], this.#staff?.views ?? []]
    const [answers = { missingWorkers: 0, isSettled: false }] = await Promise.all([this.#workers?.refresh(), this.#staff?.refresh()])
    const counts = this.#shared?.counts() ?? { users: 0, groups: 0 }
    return this.#overview.metrics({ workers, staff, ...answers, counts, tables: this.#shared?.tables, reloads: this.#reloads })
  }

  async #status(): Promise<DaemonStatus> {
    await Promise.all([this.#workers?.refresh(), this.#staff?.refresh()])
    const [workers, staff] = [this.#workers?.views ?? [], this.#staff?.views ?? []]
    return this.#overview.status({ state: this.#state, addresses: this.addresses, workers, staff, tables: this.#shared?.tables })
  }

  async #close(): Promise<void> {
    this.#watchdog?.stop()
    await this.#watch.stop()
    this.#sockets.close()
    await this.#admin.stop()
    this.#shared?.close()
    // A worker that was killed exits later; there is nothing left to take it out of.
    this.#shared = undefined
    this.#pidFile.release()
  }
}
