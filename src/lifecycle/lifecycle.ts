import type { Daemon } from '../contracts/daemon.ts'
import type { LifecycleHooks, ProcessDeath, ProcessInfo } from '../contracts/lifecycle.ts'
import type { Place } from '../ipc/messages.ts'
import { family } from '../metrics/families.ts'
import type { MetricJson } from '../metrics/metric-json.ts'
import { HOOKS, type HookName, type LoadedHooks } from './load-lifecycle.ts'

/** The lifecycle modules of one process: calls their hooks, one after the other, and goes on after one that throws. */
export class Lifecycle {
  readonly #modules: readonly LoadedHooks[]
  readonly #daemon: Daemon
  readonly #self: ProcessInfo
  readonly #errors = new Map<HookName, number>()
  /** One hook after the other, also where a process dies while another's death is being told. */
  #last: Promise<void> = Promise.resolve()
  #hasStarted = false

  constructor(modules: readonly LoadedHooks[], daemon: Daemon, { role, index, name }: Place) {
    this.#modules = modules
    this.#daemon = daemon
    this.#self = { role: role === 'queue' ? 'task' : role, slot: index, ...(name !== undefined && { name }), pid: process.pid }
  }

  /** What each hook has thrown. */
  get metrics(): readonly MetricJson[] {
    if (this.#modules.length === 0) return []
    return lifecycleMetrics(this.#errors)
  }

  /** Of this process. Resolves when every module has had its turn. Never rejects. A process that could not start has nothing to stop. */
  call(hook: Exclude<HookName, 'onWorkerError'>): Promise<void> {
    const isStart = hook === 'onWorkerStart' || hook === 'onDaemonStart'
    if (!isStart && !this.#hasStarted) return Promise.resolve()
    this.#hasStarted = true
    return this.#inTurn(hook, (hooks) => hooks[hook]?.(this.#daemon, this.#self))
  }

  /** Another process has died. */
  tell(death: ProcessDeath): Promise<void> {
    return this.#inTurn('onWorkerError', (hooks) => hooks.onWorkerError?.(this.#daemon, death))
  }

  #inTurn(hook: HookName, call: (hooks: LifecycleHooks) => void | Promise<void>): Promise<void> {
    this.#last = this.#last.then(() => this.#each(hook, call))
    return this.#last
  }

  async #each(hook: HookName, call: (hooks: LifecycleHooks) => void | Promise<void>): Promise<void> {
    for (const { file, hooks } of this.#modules) {
      try {
        await call(hooks)
      } catch (error) {
        this.#errors.set(hook, (this.#errors.get(hook) ?? 0) + 1)
        this.#daemon.log.error({ err: error, hook, file }, `Lifecycle hook ${hook} failed`)
      }
    }
  }
}

/** The metrics of the hooks of one process. */
export function lifecycleMetrics(errors: ReadonlyMap<HookName, number>): MetricJson[] {
  return [
    family(
      'polyport_lifecycle_errors_total',
      HOOKS.map((hook) => ({ value: errors.get(hook) ?? 0, labels: { hook } })),
    ),
  ]
}
