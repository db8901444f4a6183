import type { Logger } from '../contracts/logger.ts'
import type { ServiceNotify } from './service-notify.ts'

/** Reloads as they are told to the log, to metrics and to systemd. */
export class ReloadCount {
  done = 0
  failed = 0
  /** How long the last one took. */
  seconds = 0
  readonly #log: Logger
  readonly #service: ServiceNotify

  constructor(parts: { log: Logger; service: ServiceNotify }) {
    this.#log = parts.log
    this.#service = parts.service
  }

  /** @throws what `reload` throws */
  async count(reload: () => Promise<void>): Promise<void> {
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
    this.#log.info({ seconds: this.seconds }, 'Reloaded')
  }
}
