import type { Daemon } from '../contracts/daemon.ts'
import type { ProcessDeath, ProcessInfo } from '../contracts/lifecycle.ts'
import type { HookName, LoadedHooks } from './load-lifecycle.ts'

/** The lifecycle modules of one process: calls their hooks, one after the other, and goes on after one that throws. */
export class Lifecycle {
  readonly #modules: readonly LoadedHooks[]
  readonly #daemon: Daemon
  readonly #errors = new Map<HookName, number>()
  /** One hook after the other, also where a process dies while another's death is being told. */
  #last: Promise<void> = Promise.resolve()

  constructor(modules: readonly LoadedHooks[], daemon: Daemon) {
    this.#modules = modules
    this.#daemon = daemon
  }

  /** What each hook has thrown so far. */
  get errors(): ReadonlyMap<HookName, number> {
    return this.#errors
  }

  /** Resolves when every module has had its turn. Never rejects. */
  call(hook: 'onWorkerError', death: ProcessDeath): Promise<void>
  call(hook: Exclude<HookName, 'onWorkerError'>, process: ProcessInfo): Promise<void>
  call(hook: HookName, what: ProcessInfo | ProcessDeath): Promise<void> {
    this.#last = this.#last.then(() => this.#callEach(hook, what))
    return this.#last
  }

  async #callEach(hook: HookName, what: ProcessInfo | ProcessDeath): Promise<void> {
    for (const { file, hooks } of this.#modules) {
      try {
        // Only onWorkerError is given a death, by `call`.
        await hooks[hook]?.(this.#daemon, what as ProcessDeath)
      } catch (error) {
        this.#errors.set(hook, (this.#errors.get(hook) ?? 0) + 1)
        this.#daemon.log.error({ err: error, hook, file }, `${hook} failed`)
      }
    }
  }
}
