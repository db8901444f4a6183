import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { HttpHandler, Task } from 'polyport'

const CHUNK = 1000

export class Noop extends Task<{ n: number; text: string }> {
  handle(): void {}
}

/** GET /one/N, /burst/N, /process/N: does it, and answers with how long it took, in milliseconds. */
export default class Tasks extends HttpHandler {
  override async onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, what = '', count = ''] = (request.url ?? '').split('/')
    response.end(String(await this.#measure(what, Number(count))))
  }

  async #measure(what: string, count: number): Promise<number> {
    const startedAt = performance.now()
    if (what === 'one') for (let n = 0; n < count; n++) await this.daemon.tasks.deliver(new Noop({ n, text: 'some text' }), { delayMs: 3_600_000 })
    else if (what === 'burst') await this.#burst(count, () => 3_600_000)
    else {
      // All are due at the same moment, when the last one has long been taken.
      const due = Date.now() + count / 20 + 1000
      await this.#burst(count, () => Math.max(0, due - Date.now()))
      await sleep(Math.max(0, due - Date.now()))
      return Date.now()
    }
    return performance.now() - startedAt
  }

  async #burst(count: number, delayMs: () => number): Promise<void> {
    for (let from = 0; from < count; from += CHUNK) {
      const chunk = Array.from({ length: Math.min(CHUNK, count - from) }, (_, i) =>
        this.daemon.tasks.deliver(new Noop({ n: from + i, text: 'some text' }), { delayMs: delayMs() }),
      )
      await Promise.all(chunk)
    }
  }
}
