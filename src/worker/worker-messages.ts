import type { Logger } from '../contracts/logger.ts'
import type { Sender } from '../contracts/sender.ts'
import type { Workers } from '../contracts/workers.ts'
import { isBackedUp } from '../ipc/backlog.ts'
import type { Member, Post } from '../ipc/post.ts'
import { senderOf } from '../ipc/sender-of.ts'
import { family } from '../metrics/families.ts'
import type { MetricJson } from '../metrics/metric-json.ts'
import { shows } from '../shows.ts'
import { valueText } from '../value-text.ts'

const TOPIC = 'worker'
// A worker that has not asked for its messages yet, as its handlers have not started, gets them then.
const MAX_HELD = 1000

type Callback = (message: unknown, from: Sender) => void | Promise<void>

/** `daemon.workers`: messages to workers, as one process of the daemon sends and gets them. */
export class WorkerMessages implements Workers {
  static {
    shows(WorkerMessages, 'Workers', [])
  }

  readonly #post: Post
  readonly #log: Logger
  readonly #callbacks = new Set<Callback>()
  #held: { message: unknown; from: Sender }[] = []
  #isHolding = true
  #errors = 0

  constructor(post: Post, log: Logger) {
    this.#post = post
    this.#log = log
    if (post.self.role === 'worker') post.on(TOPIC, (message, from) => this.#receive(message, senderOf(from)))
  }

  /** What callbacks have thrown. */
  get errors(): number {
    return this.#errors
  }

  sendTo(slot: number, message: unknown): boolean {
    if (typeof slot !== 'number') throw new TypeError(`Cannot send to the worker in slot ${valueText(slot)}: expected a number`)
    const member = this.#post.at({ role: 'worker', index: slot })
    return member !== undefined && this.#send(member, message)
  }

  broadcast(message: unknown): void {
    // Those that end what they are at still serve connections.
    for (const member of this.#post.members('worker')) if (member.owner !== this.#post.self.owner) this.#send(member, message)
  }

  #send(member: Member, message: unknown): boolean {
    if (!isBackedUp(this.#post, member)) return this.#post.send(member, TOPIC, message)
    this.#log.warn({ worker: member.index }, 'A message to a worker is dropped: it does not take what has been sent to it')
    return false
  }

  onMessage(callback: Callback): () => void {
    if (typeof callback !== 'function') throw new TypeError(`Cannot give messages to ${valueText(callback)}: expected a function`)
    this.#callbacks.add(callback)
    if (this.#isHolding) setImmediate(() => this.#release())
    return () => this.#callbacks.delete(callback)
  }

  #receive(message: unknown, from: Sender): void {
    if (this.#isHolding) return this.#hold(message, from)
    for (const callback of this.#callbacks) void this.#give(callback, message, from)
  }

  async #give(callback: Callback, message: unknown, from: Sender): Promise<void> {
    try {
      await callback(message, from)
    } catch (error) {
      this.#errors++
      this.#log.error({ err: error, from }, 'A message to this worker could not be handled')
    }
  }

  #hold(message: unknown, from: Sender): void {
    if (this.#held.length === MAX_HELD) {
      this.#log.warn('Messages to this worker are dropped: nothing has called daemon.workers.onMessage')
      this.#isHolding = false
      this.#held = []
      return
    }
    this.#held.push({ message, from })
  }

  #release(): void {
    this.#isHolding = false
    const held = this.#held
    this.#held = []
    for (const { message, from } of held) this.#receive(message, from)
  }
}

/** The metrics of what is sent to the worker in a slot. */
export function messageMetrics(worker: number, errors: number): MetricJson[] {
  return [family('polyport_worker_message_errors_total', [{ value: errors, labels: { worker } }])]
}
