import { execFile } from 'node:child_process'
import type { Logger } from '../contracts/logger.ts'

const MICROSECONDS = 1000n

/**
 * Tells systemd how the daemon is: sd_notify(3). Node opens no unix datagram socket, so systemd's own systemd-notify says it; the unit needs
 * `NotifyAccess=all` for that. Nothing happens where systemd did not start the daemon.
 */
export class ServiceNotify {
  readonly #log: Logger
  readonly #isOn = process.env['NOTIFY_SOCKET'] !== undefined
  #watchdog: NodeJS.Timeout | undefined
  /** One after the other: RELOADING must not come behind the READY that ends it. */
  #last: Promise<void> = Promise.resolve()

  constructor(log: Logger) {
    this.#log = log
  }

  /** Every port listens. Also begins to tell the watchdog that the master is alive, if the unit has `WatchdogSec`. */
  ready(): void {
    this.#say('READY=1', `MAINPID=${process.pid}`)
    const micros = Number(process.env['WATCHDOG_USEC'] ?? 0)
    if (this.#isOn && micros > 0) this.#watchdog ??= setInterval(() => this.#say('WATCHDOG=1'), micros / 2000).unref()
  }

  reloading(): void {
    this.#say('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / MICROSECONDS}`)
  }

  /** Resolves when it has been said. */
  stopping(): Promise<void> {
    clearInterval(this.#watchdog)
    this.#say('STOPPING=1')
    return this.#last
  }

  #say(...states: string[]): void {
    if (!this.#isOn) return
    this.#last = this.#last.then(
      () =>
        new Promise((resolve) => {
          execFile('systemd-notify', [`--pid=${process.pid}`, ...states], { timeout: 5000 }, (error) => {
            if (error !== null) this.#log.warn({ err: error, states }, 'Cannot tell systemd')
            resolve()
          })
        }),
    )
  }
}
