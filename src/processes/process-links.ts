import { setTimeout as sleep } from 'node:timers/promises'
import { checkOptions } from '../arguments.ts'
import type { ProcessConfig } from '../config/work-schema.ts'
import type { Processes, ProcessLink } from '../contracts/custom-process.ts'
import { UnreachableError } from '../errors.ts'
import { isBackedUp } from '../ipc/backlog.ts'
import type { Member, Post } from '../ipc/post.ts'
import { shows } from '../shows.ts'

/** What messages to a custom process are sent under. */
export const PROCESS_TOPIC = 'process'
const REQUEST_TIMEOUT_MS = 30_000

/** `daemon.processes`: every custom process of the config that is enabled, as one process of the daemon reaches it. */
export function processLinks(configs: Readonly<Record<string, ProcessConfig>>, post: Post): Processes {
  const links = Object.entries(configs).filter(([, { enabled }]) => enabled)
  return Object.freeze(Object.fromEntries(links.map(([name, { count }]) => [name, new Link({ name, count, post })])))
}

class Link implements ProcessLink {
  static {
    shows(Link, 'Process', ['count'])
  }

  readonly count: number
  readonly #name: string
  readonly #post: Post
  /** Who wait for a process to be there. */
  readonly #waiters = new Set<() => void>()
  #last = -1

  constructor({ name, count, post }: { name: string; count: number; post: Post }) {
    this.count = count
    this.#name = name
    this.#post = post
    post.onMembers(() => this.#membersChanged())
  }

  send(message: unknown): boolean {
    const member = this.#next()
    return member !== undefined && !isBackedUp(this.#post, member) && this.#post.send(member, PROCESS_TOPIC, message)
  }

  async request(message: unknown, options: { timeoutMs?: number } = {}): Promise<unknown> {
    checkOptions(`ask process "${this.#name}"`, options, ['timeoutMs'])
    const { timeoutMs = REQUEST_TIMEOUT_MS } = options
    if (!(typeof timeoutMs === 'number' && timeoutMs > 0 && timeoutMs < 2 ** 31))
      throw new RangeError(`Cannot wait for an answer as timeoutMs must be over 0 and under 2^31: it is ${timeoutMs}`)
    const deadline = performance.now() + timeoutMs
    const member = this.#next() ?? (await this.#someone(timeoutMs))
    if (isBackedUp(this.#post, member)) throw new UnreachableError(`Cannot ask process "${this.#name}": it does not take what has been sent to it`)
    return this.#post.request(member, PROCESS_TOPIC, message, {
      timeoutMs: Math.max(1, deadline - performance.now()),
      whom: `process "${this.#name}"`,
    })
  }

  /** Each in turn of those that are there. */
  #next(): Member | undefined {
    for (let step = 1; step <= this.count; step++) {
      const index = (this.#last + step) % this.count
      const member = this.#post.at({ role: 'process', index, name: this.#name })
      if (member === undefined) continue
      this.#last = index
      return member
    }
    return undefined
  }

  async #someone(timeoutMs: number): Promise<Member> {
    const limit = new AbortController()
    const over = sleep(timeoutMs, 'over' as const, { signal: limit.signal, ref: false }).catch(() => 'over' as const)
    try {
      for (;;) {
        const member = this.#next()
        if (member !== undefined) return member
        const { promise, resolve } = Promise.withResolvers<void>()
        this.#waiters.add(resolve)
        const what = await Promise.race([promise, over])
        this.#waiters.delete(resolve)
        if (what === 'over') {
          throw new UnreachableError(`Cannot ask process "${this.#name}": none of its processes was there for ${timeoutMs} ms`)
        }
      }
    } finally {
      limit.abort()
    }
  }

  #membersChanged(): void {
    for (const waiter of this.#waiters) waiter()
  }
}
