import { join } from 'node:path'
import { AdminServer } from '../admin/admin-server.ts'
import type { DaemonStatus } from '../admin/status.ts'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'
import type { Tables } from '../contracts/table.ts'
import { BindError } from '../errors.ts'
import type { ToMaster } from '../ipc/messages.ts'
import { MetricsBook } from '../metrics/metrics-book.ts'
import type { WorkerReport } from '../metrics/worker-report.ts'
import { clearUnixPath } from '../net/unix-path.ts'
import { Registry } from '../shared/registry.ts'
import { Store, sharedMemoryDir } from '../shared/store.ts'
import { createTables } from '../shared/tables.ts'
import { Balance } from './balance.ts'
import { Dealer } from './dealer.ts'
import { type ListeningSocket, ListeningSockets } from './listening-sockets.ts'
import { Overview } from './overview.ts'
import { PidFile } from './pid-file.ts'
import { Slot } from './slot.ts'

// A scrape answers without a worker that is stuck.
const REPORT_WAIT_MS = 500

export interface MasterParts {
  readonly config: Config
  readonly log: Logger
  readonly appVersion: string
}

/** The process that holds no traffic: it starts workers, watches them, reports on them and stops them. */
export class Master {
  readonly #config: Config
  readonly #log: Logger
  readonly #overview: Overview
  readonly #pidFile: PidFile
  readonly #slots: Slot[] = []
  readonly #book: MetricsBook
  readonly #asked = new Map<number, (report: WorkerReport) => void>()
  #state: DaemonStatus['state'] = 'starting'
  #store: Store | undefined
  #registry: Registry | undefined
  #tables: Tables | undefined
  #sockets = new ListeningSockets()
  #dealer: Dealer | undefined
  #balance: Balance | undefined
  #control: AdminServer | undefined
  #admin: AdminServer | undefined
  #lastOwner = 0
  #lastId = 0
  #onReady: (() => void) | undefined
  #onEnd: ((code: number) => void) | undefined
  #onFailure: ((error: Error) => void) | undefined

  constructor(parts: MasterParts) {
    this.#config = parts.config
    this.#log = parts.log
    this.#pidFile = new PidFile(parts.config.runtimeDir)
    this.#book = new MetricsBook(parts.config.ports)
    this.#overview = new Overview({ ...parts, book: this.#book })
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
      for (const slot of this.#slots) slot.kill()
      await this.#close()
      throw error
    }
    this.#state = 'ready'
  }

  /** Resolves with the exit code when the daemon has ended. */
  ended(): Promise<number> {
    return new Promise((resolve) => {
      this.#onEnd = resolve
    })
  }

  /** Stops in good order: no new connections, what was sent leaves, requests are answered. */
  async stop(): Promise<void> {
    if (this.#state === 'stopping') return
    this.#state = 'stopping'
    this.#log.info('Stopping')
    this.#dealer?.close()
    this.#balance?.close()
    await Promise.all(this.#slots.map((slot) => slot.stop(this.#config.maxWaitSeconds)))
    await this.#close()
    this.#log.info('Stopped')
    this.#onEnd?.(0)
  }

  /** Ends everything now. */
  async abort(): Promise<void> {
    this.#state = 'stopping'
    for (const slot of this.#slots) slot.kill()
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
    const parts = {
      config,
      store: dir,
      log: this.#log,
      nextOwner: () => ++this.#lastOwner,
      onMessage: (slot: Slot, message: ToMaster) => this.#receive(slot, message),
      onExit: (slot: Slot, owner: number) => this.#exited(slot, owner),
    }
    for (let index = 0; index < config.workers; index++) this.#slots.push(new Slot({ ...parts, index }))
    await Promise.all(this.#slots.map((slot) => slot.start()))
    this.#sockets = await ListeningSockets.open(config.ports, config.workers)
    await this.#openAdmin()
    await this.#openPorts()
  }

  async #openPorts(): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      this.#onReady = resolve
      this.#onFailure = reject
    })
    if (this.#config.dispatch !== 'kernel') {
      this.#dealer = new Dealer(this.#slots, this.#config.dispatch)
      for (const socket of this.#sockets.all)
        this.#dealer.open(socket, (errno) => this.#log.warn({ errno, port: socket.config.name }, 'Cannot accept a connection'))
    } else if (this.#slots.length > 1) {
      this.#balance = new Balance(this.#slots, (slot, port) => this.#reopen(slot, port))
    }
    for (const slot of this.#slots) await this.#openOn(slot)
    await ready
    this.#onFailure = undefined
  }

  /** Gives a worker whose handlers are loaded its ports. */
  async #openOn(slot: Slot): Promise<void> {
    this.#tellPeers()
    for (const socket of this.#sockets.all) {
      if (socket.stream === undefined && socket.datagrams === undefined) {
        // A unix datagram socket cannot be handed over by its package: one worker binds it, anew after a crash.
        if (slot.index !== 0) continue
        await clearUnixPath(socket.address, `port "${socket.config.name}"`)
      }
      this.#give(slot, socket)
    }
    slot.send({ type: 'opened' })
  }

  /** Gives a ready worker back a listening socket that it had let go of. */
  #reopen(slot: Slot, port: string): void {
    if (this.#state !== 'ready' || !slot.isReady) return
    for (const socket of this.#sockets.all) if (socket.config.name === port) this.#give(slot, socket)
  }

  #give(slot: Slot, socket: ListeningSocket): void {
    const isDealt = socket.stream !== undefined && this.#dealer !== undefined
    const handle = isDealt ? undefined : (socket.stream ?? socket.datagrams?.[slot.index]?.handle)
    slot.send({ type: 'listen', port: socket.config.name, address: socket.address }, handle)
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
      stop: () => void this.stop(),
    })
  }

  #receive(slot: Slot, message: ToMaster): void {
    if (message.type === 'loaded' && this.#state === 'ready') void this.#openOn(slot)
    else if (message.type === 'ready') this.#ready(slot)
    else if (message.type === 'failed') this.#failed(slot, message.message)
    else if (message.type === 'taken') this.#dealer?.taken(message.id)
    else if (message.type === 'accepted') this.#balance?.accepted(slot, message.port, message.connections)
    else if (message.type === 'rested') this.#reopen(slot, message.port)
    else if (message.type === 'report') this.#reported(slot, message)
    else if (message.type === 'stop') void this.stop()
  }

  #ready(slot: Slot): void {
    if (this.#state === 'ready') this.#log.info({ worker: slot.index, pid: slot.pid }, 'Worker ready')
    this.#dealer?.ready()
    if (this.#slots.every((slot) => slot.isReady)) this.#onReady?.()
  }

  /** A worker cannot load its handlers or open a port: fatal at the start, tried again later. */
  #failed(slot: Slot, message: string): void {
    if (this.#state === 'ready') this.#log.error({ worker: slot.index }, `Worker cannot start: ${message}`)
    else this.#onFailure?.(new BindError(message))
  }

  #reported(slot: Slot, message: Extract<ToMaster, { type: 'report' }>): void {
    this.#book.record(slot.index, message.report)
    if (message.id !== undefined) this.#asked.get(message.id)?.(message.report)
  }

  #exited(slot: Slot, owner: number): void {
    this.#store?.checkReaders()
    const purged = this.#registry?.purge(owner) ?? []
    if (purged.length > 0) this.#log.warn({ worker: slot.index, connections: purged.length }, 'Connections ended with their worker')
    this.#book.retire(slot.index)
    this.#balance?.lost(slot)
    this.#dealer?.lost(slot)
    this.#tellPeers()
  }

  #tellPeers(): void {
    const peers = this.#slots.filter((slot) => slot.pid !== undefined).map((slot) => slot.peer)
    for (const slot of this.#slots) slot.send({ type: 'peers', peers })
  }

  #readiness(): string | undefined {
    if (this.#state !== 'ready') return `the daemon is ${this.#state}`
    const waiting = this.#slots.filter((slot) => !slot.isReady)
    return waiting.length === 0 ? undefined : `worker ${waiting.map((slot) => slot.index).join(', ')} does not listen yet`
  }

  /** Asks every worker; resolves with the slots that did not answer in time. */
  async #refresh(): Promise<number> {
    const answers = this.#slots.map((slot) => this.#ask(slot))
    return (await Promise.all(answers)).filter((isThere) => !isThere).length
  }

  #ask(slot: Slot): Promise<boolean> {
    if (!slot.isReady) return Promise.resolve(false)
    const id = ++this.#lastId
    return new Promise((resolve) => {
      const done = (isThere: boolean): void => {
        clearTimeout(timer)
        this.#asked.delete(id)
        resolve(isThere)
      }
      const timer = setTimeout(() => done(false), REPORT_WAIT_MS)
      this.#asked.set(id, () => done(true))
      slot.send({ type: 'report', id })
    })
  }

  async #metrics(): Promise<string> {
    const missingWorkers = await this.#refresh()
    const counts = this.#registry?.counts() ?? { users: 0, groups: 0 }
    return this.#overview.metrics({ workers: this.#slots, missingWorkers, counts, tables: this.#tables })
  }

  async #status(): Promise<DaemonStatus> {
    await this.#refresh()
    return this.#overview.status({ state: this.#state, addresses: this.addresses, workers: this.#slots, tables: this.#tables })
  }

  async #close(): Promise<void> {
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
