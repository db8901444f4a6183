import type { Logger } from '../contracts/logger.ts'
import type { ServiceNotify } from './service-notify.ts'

/** Reloads, and whatever else replaces processes: one after the other, and told to the log, to metrics and to systemd. */
export class Reloads {
  done = 0
  failed = 0
  /** How long the last one took. */
  seconds = 0
  readonly #log: Logger
  readonly #service: ServiceNotify
  /** Never rejects. */
  #last: Promise<unknown> = Promise.resolve()
  /** One that waits for its turn. */
  #next: Promise<void> | undefined

  constructor(parts: { log: Logger; service: ServiceNotify }) {
    this.#log = parts.log
    this.#service = parts.service
  }

  /** A second reload waits for the first, and a third that is asked for meanwhile is the same as the second. @throws what `reload` throws */
  request(reload: () => Promise<void>): Promise<void> {
    this.#next ??= this.inTurn(() => {
      this.#next = undefined
      return this.#count(reload)
    })
    return this.#next
  }

  /** Does other work on the processes when nothing else does. @throws what `work` throws */
  inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => {})
    return done
  }

  async #count(reload: () => Promise<void>): Promise<void> {
    const start = performance.now()
    this.#service.reloading()
    try {
      await reload()
    } catch (error) {
      this.failed++
      this.#log.error({ err: error }, 'Reload failed: the old code goes on')
      throw error
    } finally {
      this.#service.ready()
    }
    this.done++
    this.seconds = (performance.now() - start) / 1000
    this.#log.info({ seconds: Number(this.seconds.toFixed(3)) }, 'Reloaded')
  }
}
