import type { Config } from '../config/schema.ts'
import type { Logger } from '../contracts/logger.ts'
import type { Tables } from '../contracts/table.ts'
import { sharedMemoryDir } from '../shared/memory-folder.ts'
import { Registry } from '../shared/registry.ts'
import { Store } from '../shared/store.ts'
import { createTables, type OpenTables } from '../shared/tables.ts'
import { endLeftovers } from './leftovers.ts'
import { Sentry } from './sentry.ts'

/** What all processes of a daemon share, as its master has it: made at the start, gone at the end. */
export class SharedState {
  /** The folder of the memory, by which the other processes open it. */
  readonly dir: string
  readonly #store: Store
  readonly #registry: Registry
  readonly #sentry: Sentry
  readonly #log: Logger
  /** Processes that have ended, and have left something. */
  readonly #ended = new Set<number>()
  #tables: OpenTables

  /**
   * In place of what the last daemon has left, its processes included.
   * @param options `uid`: who may have left the folder there, besides the user of this process
   * @throws Error when a row on disk does not fit the config
   */
  static async make(config: Config, options: { uid: number | undefined; log: Logger }): Promise<SharedState> {
    await endLeftovers(sharedMemoryDir(config.runtimeDir), options.log)
    return new SharedState(config, options)
  }

  private constructor(config: Config, { uid, log }: { uid: number | undefined; log: Logger }) {
    this.dir = sharedMemoryDir(config.runtimeDir)
    this.#log = log
    this.#store = Store.create({ dir: this.dir, uid })
    try {
      this.#registry = new Registry(this.#store)
      this.#tables = createTables(this.#store, config.tables, { dataDir: config.dataDir, isMaster: true })
    } catch (error) {
      this.#store.destroy()
      throw error
    }
    this.#sentry = new Sentry(this.dir, { config, log })
  }

  get tables(): Tables {
    return this.#tables
  }

  /** A reload brings the tables that the config has now. @throws Error when a row on disk does not fit them */
  setTables(config: Config): void {
    this.#tables = createTables(this.#store, config.tables, { dataDir: config.dataDir, isMaster: true, instead: this.#tables })
  }

  counts(): { users: number; groups: number } {
    return this.#registry.counts()
  }

  /** A process has ended: nothing of it is left, or nothing once another has ended where memory cannot be written. @returns how many connections it had */
  forget(owner: number): number {
    this.#ended.add(owner)
    let connections = 0
    try {
      for (const ended of this.#ended) {
        connections += this.#registry.purge(ended).length
        this.#ended.delete(ended)
      }
    } catch (error) {
      this.#log.error({ err: error, owner }, 'Shared memory cannot be written: what a process has left in it stays until another ends')
    }
    return connections
  }

  close(): void {
    this.#sentry.dismiss()
    this.#tables[Symbol.dispose]()
    this.#store.destroy()
  }
}
