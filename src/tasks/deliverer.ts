import { checkOptions } from '../arguments.ts'
import type { TasksConfig } from '../config/task-schema.ts'
import { type DeliverOptions, TASK, type Task, type Tasks } from '../contracts/task.ts'
import { QueueClosedError, QueueFullError, TaskFailedError, TaskTimeoutError } from '../errors.ts'
import type { Post } from '../ipc/post.ts'
import { thrownThere } from '../ipc/thrown-error.ts'
import { shows } from '../shows.ts'
import { deliverOptions } from './deliver-options.ts'
import { decodePayload, encodePayload } from './payload.ts'
import { QueueDoor } from './queue-door.ts'
import { type Answer, type Hello, type Refused, TOPIC, type Welcome } from './task-messages.ts'
import { encodeRecord, KIND, type Kind, number, pack, STAGE } from './task-record.ts'

// What one process may have under way: a queue that cannot follow is told of by an error, not by memory.
const MAX_PENDING = 100_000
const MAX_PENDING_BYTES = 64 * 1024 * 1024
// What may be on its way to the queue, and how much of it in one message.
const WINDOW_BYTES = 16 * 1024 * 1024
const BATCH_BYTES = 512 * 1024
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

export interface DelivererParts {
  readonly config: TasksConfig
  readonly post: Post
  /** Numbers that no other process of the daemon gets. */
  readonly ids: { next(): number; raise(above: number): void }
}

/** Something to be done, as it is handed over. */
export interface Delivery {
  readonly className: string
  readonly eventName: string
  readonly kind: Kind
  readonly input: Buffer
  readonly options: DeliverOptions
}

interface Pending {
  readonly record: Buffer
  readonly kind: Kind
  readonly promise: Promise<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  id: number
}

/** `daemon.tasks`: hands tasks to the queue, many of one turn in one message, and remembers each until the queue has it on disk. */
export class Deliverer implements Tasks {
  static {
    shows(Deliverer, 'Tasks', [])
  }

  readonly #parts: DelivererParts
  readonly #door: QueueDoor
  /** Whether a class is known here; asked for where the modules of `tasks` are loaded. */
  knows: (className: string) => boolean = () => true
  #unsent: Pending[] = []
  /** In the order of their numbers. */
  readonly #sent = new Map<number, Pending>()
  readonly #runs = new Map<number, Pending>()
  #pendingBytes = 0
  #sentBytes = 0
  #producer = 0
  #isWelcome = false
  #isFlushing = false
  #isEnding = false
  #isClosed = false
  readonly #flush = (): void => this.#send()

  constructor(parts: DelivererParts) {
    this.#parts = parts
    const { post } = parts
    post.on(TOPIC.welcome, (body) => this.#welcome(body as Welcome))
    post.on(TOPIC.accepted, (body) => this.#accepted(body as number))
    post.on(TOPIC.refused, (body) => this.#refused(body as Refused))
    post.on(TOPIC.answer, (body) => this.#answer(body as Answer))
    this.#door = new QueueDoor(post)
    this.#door.onQueue(() => {
      this.#isWelcome = false
      this.#door.send(TOPIC.hello, { producer: this.#producer } satisfies Hello)
    })
  }

  // Not async: a burst makes one promise for each task, not three.
  deliver(task: Task, options: DeliverOptions = NO_OPTIONS): Promise<number> {
    try {
      const className = this.#classOf(task)
      return this.hand({ className, eventName: '', kind: KIND.task, input: this.encode(task.input, 'input'), options })
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async run<Output>(task: Task<unknown, Output>, options: { readonly timeoutMs?: number } = {}): Promise<Output> {
    checkOptions('run a task', options, ['timeoutMs'])
    const { timeoutMs } = options
    const className = this.#classOf(task)
    if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs > 0))
      throw new RangeError(`Cannot wait ${timeoutMs} ms for a task: expected timeoutMs to be over 0`)
    const pending = this.#take({ className, eventName: '', kind: KIND.run, input: this.encode(task.input, 'input'), options: {} })
    const { promise } = pending
    if (timeoutMs === undefined) return (await promise) as Output
    const timer = setTimeout(() => this.#giveUp(pending, `${className} was not done within ${timeoutMs} ms`), Math.min(timeoutMs, LONGEST_TIMEOUT_MS))
    try {
      return (await promise) as Output
    } finally {
      clearTimeout(timer)
    }
  }

  /** @throws TaskInputError */
  encode(value: unknown, name: string): Buffer {
    return encodePayload(value, name, this.#parts.config.maxPayload)
  }

  /** Resolves with the number. @throws QueueClosedError, QueueFullError, RangeError */
  hand(delivery: Delivery): Promise<number> {
    return this.#take(delivery).promise as Promise<number>
  }

  handListener(className: string, eventName: string, data: Buffer, options: DeliverOptions): Promise<number> {
    return this.hand({ className, eventName, kind: KIND.listener, input: data, options })
  }

  /** This process ends: its calls of `run` that have not begun never do, and there are no more. */
  refuseRuns(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    const unsent = this.#unsent.filter(({ kind }) => kind === KIND.run)
    this.#unsent = this.#unsent.filter(({ kind }) => kind !== KIND.run)
    for (const pending of unsent) {
      this.#forget(pending)
      pending.reject(new QueueClosedError('Cannot run a task: this process ends'))
    }
    if (this.#runs.size > 0) this.#door.send(TOPIC.revoke, [...this.#runs.keys()])
  }

  /** Takes nothing more; resolves when everything is accepted, or after so long. What is not by then is refused. */
  async close(maxWaitMs: number): Promise<void> {
    this.#isClosed = true
    const end = performance.now() + maxWaitMs
    while (this.#unsent.length + this.#sent.size > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5))
    const left = [...this.#unsent, ...this.#sent.values(), ...this.#runs.values()]
    this.#unsent = []
    this.#sent.clear()
    this.#runs.clear()
    for (const { reject } of left) reject(new QueueClosedError('The daemon stops: the task was not taken'))
  }

  /** @throws QueueClosedError, QueueFullError, RangeError */
  #take({ className, eventName, kind, input, options }: Delivery): Pending {
    const { delayMs, tries, backoffMs } = deliverOptions(options)
    if (this.#isClosed || (this.#isEnding && kind === KIND.run)) throw new QueueClosedError(`Cannot deliver ${className}: the daemon stops`)
    const isFull = this.#unsent.length + this.#sent.size + this.#runs.size >= MAX_PENDING
    if (isFull || (this.#pendingBytes > 0 && this.#pendingBytes + input.length > MAX_PENDING_BYTES)) {
      throw new QueueFullError(`Cannot deliver ${className}: the queue has not yet taken what this process delivered before`)
    }
    const now = Date.now()
    const record = encodeRecord({
      // Both numbers are given when it leaves.
      id: 0,
      producer: 0,
      deliveredAt: now,
      due: now + delayMs,
      backoffMs,
      tries,
      attempts: 0,
      kills: 0,
      stage: STAGE.handle,
      kind,
      className,
      eventName,
      input,
      output: NOTHING,
    })
    this.#pendingBytes += record.length
    const pending = { record, kind, id: 0, ...Promise.withResolvers<unknown>() }
    this.#unsent.push(pending)
    this.#soon()
    return pending
  }

  #classOf(task: Task): string {
    const type = (task as { constructor?: { readonly name?: unknown; readonly [TASK]?: unknown } } | undefined)?.constructor
    if (type?.[TASK] !== true || typeof type.name !== 'string') throw new TypeError('Cannot deliver this: expected an object of a class that extends Task')
    if (!this.knows(type.name)) throw new TypeError(`Cannot deliver ${type.name}: no module of "tasks" exports a class of this name`)
    return type.name
  }

  #soon(): void {
    if (this.#isFlushing) return
    this.#isFlushing = true
    setImmediate(this.#flush)
  }

  #send(): void {
    this.#isFlushing = false
    if (!this.#isWelcome || this.#door.queue === undefined) return
    let taken = 0
    let batch: Buffer[] = []
    let bytes = 0
    const leave = (): void => {
      if (batch.length > 0) this.#door.send(TOPIC.deliver, pack(batch))
      batch = []
      bytes = 0
    }
    while (taken < this.#unsent.length && (this.#sentBytes < WINDOW_BYTES || this.#sent.size === 0)) {
      const pending = this.#unsent[taken++] as Pending
      pending.id = this.#parts.ids.next()
      number(pending.record, pending.id, this.#producer)
      if (pending.kind === KIND.run) this.#runs.set(pending.id, pending)
      else {
        this.#sent.set(pending.id, pending)
        this.#sentBytes += pending.record.length
      }
      batch.push(pending.record)
      bytes += pending.record.length
      if (bytes > BATCH_BYTES) leave()
    }
    leave()
    this.#unsent = taken === this.#unsent.length ? [] : this.#unsent.slice(taken)
  }

  /** A queue is there, this one for the first time, or another one in its place. It knows what it has on disk. */
  #welcome({ highest }: Welcome): void {
    // It greets everybody who has greeted it, and in one process there may be several.
    if (this.#isWelcome) return
    this.#isWelcome = true
    if (this.#producer === 0) {
      this.#parts.ids.raise(highest)
      this.#producer = this.#parts.ids.next()
    }
    let batch: Buffer[] = []
    for (const { record } of [...this.#sent.values(), ...this.#runs.values()]) {
      batch.push(record)
      if (batch.length < 1000) continue
      this.#door.send(TOPIC.deliver, pack(batch))
      batch = []
    }
    if (batch.length > 0) this.#door.send(TOPIC.deliver, pack(batch))
    this.#send()
  }

  #accepted(upTo: number): void {
    for (const [id, pending] of this.#sent) {
      if (id > upTo) break
      this.#forget(pending)
      pending.resolve(id)
    }
    if (this.#unsent.length > 0) this.#soon()
  }

  #refused({ ids, reason, message }: Refused): void {
    for (const id of ids) {
      const pending = this.#sent.get(id) ?? this.#runs.get(id)
      if (pending === undefined) continue
      this.#forget(pending)
      pending.reject(reason === 'full' ? new QueueFullError(`Cannot deliver: ${message}`) : new QueueClosedError(`Cannot put the task on disk: ${message}`))
    }
  }

  #answer({ id, output, error, isTimeout, isClosed }: Answer): void {
    const pending = this.#runs.get(id)
    if (pending === undefined) return
    this.#forget(pending)
    if (error === undefined)
      pending.resolve(output === undefined || output.length === 0 ? undefined : decodePayload(Buffer.from(output.buffer, output.byteOffset, output.byteLength)))
    else if (isClosed === true) pending.reject(new QueueClosedError(error.message))
    else if (isTimeout === true) pending.reject(new TaskTimeoutError(error.message))
    else pending.reject(new TaskFailedError(`The task has failed: ${error.message}`, { cause: thrownThere(error) }))
  }

  #giveUp(pending: Pending, message: string): void {
    pending.reject(new TaskTimeoutError(message))
    if (pending.id === 0) this.#unsent = this.#unsent.filter((one) => one !== pending)
    else this.#door.send(TOPIC.forget, [pending.id])
    this.#forget(pending)
  }

  #forget(pending: Pending): void {
    if (this.#sent.delete(pending.id)) this.#sentBytes -= pending.record.length
    this.#runs.delete(pending.id)
    this.#pendingBytes -= pending.record.length
  }
}

const NO_OPTIONS: DeliverOptions = {}
const NOTHING = Buffer.alloc(0)
