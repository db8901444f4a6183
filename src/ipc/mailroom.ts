import { deserialize, serialize } from 'node:v8'
import type { Logger } from '../contracts/logger.ts'
import { RequestTimeoutError, UnreachableError } from '../errors.ts'
import { forgetLongGone } from './long-gone.ts'
import type { Place, PostKind, Role } from './messages.ts'
import type { Member, Post } from './post.ts'
import { plainError, type ThrownError, thrownThere } from './thrown-error.ts'

const REQUEST_TIMEOUT_MS = 30_000

/** What carries the bytes of the post. */
export interface Carrier {
  /** @returns false when there is no such process (any more) */
  carry(owner: number, letter: { kind: PostKind; topic: string; id: number; body: Uint8Array }): boolean
  backlog(owner: number): number
}

// How long a letter waits for the news of who has sent it, and how many may.
const EARLY_MS = 10_000
const MAX_EARLY = 10_000

interface Letter {
  readonly topic: string
  readonly id: number
  readonly body: Uint8Array
  readonly from: number
}

interface Question {
  readonly to: number
  /** In errors. */
  readonly whom: string
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

/** The post of one process, whatever carries it. */
export class Mailroom implements Post {
  readonly self: Member
  readonly #carrier: Carrier
  readonly #log: Logger
  readonly #listeners = new Map<string, (body: unknown, from: Member) => void>()
  readonly #answerers = new Map<string, (body: unknown, from: Member) => unknown>()
  readonly #onMembers: (() => void)[] = []
  readonly #questions = new Map<number, Question>()
  #members: readonly Member[]
  /** The number of every process that is there, or was not long ago. */
  readonly #met = new Set<number>()
  /** Letters of others. */
  #early: { readonly kind: PostKind; readonly letter: Letter; readonly cameAt: number }[] = []
  #lastId = 0

  constructor(parts: { self: Member; carrier: Carrier; log: Logger }) {
    this.self = parts.self
    this.#carrier = parts.carrier
    this.#log = parts.log
    this.#members = [parts.self]
    this.#met.add(parts.self.owner)
  }

  members(role?: Role): readonly Member[] {
    return role === undefined ? this.#members : this.#members.filter((member) => member.role === role)
  }

  at({ role, index, name }: Place): Member | undefined {
    // The one that serves comes before one that is to take its place.
    return this.#members.find((member) => member.role === role && member.index === index && member.name === name && !member.isLeaving)
  }

  onMembers(listener: () => void): void {
    this.#onMembers.push(listener)
  }

  send({ owner }: { readonly owner: number }, topic: string, body: unknown): boolean {
    return this.#carrier.carry(owner, { kind: 'post', topic, id: 0, body: serialize(body) })
  }

  on(topic: string, listener: (body: unknown, from: Member) => void): void {
    if (this.#listeners.has(topic)) throw new RangeError(`There is a listener for "${topic}" already`)
    this.#listeners.set(topic, listener)
  }

  async request({ owner }: { readonly owner: number }, topic: string, body: unknown, options: { timeoutMs?: number; whom?: string } = {}): Promise<unknown> {
    const { timeoutMs = REQUEST_TIMEOUT_MS, whom = `"${topic}"` } = options
    const bytes = serialize(body)
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(id, new RequestTimeoutError(`There was no answer from ${whom} within ${Math.round(timeoutMs)} ms`)), timeoutMs)
      this.#questions.set(id, { to: owner, whom, resolve, reject, timer })
      if (!this.#carrier.carry(owner, { kind: 'ask', topic, id, body: bytes }))
        this.#fail(id, new UnreachableError(`Cannot ask ${whom}: that process is not there`))
    })
  }

  answer(topic: string, answerer: (body: unknown, from: Member) => unknown): void {
    if (this.#answerers.has(topic)) throw new RangeError(`There is an answer to "${topic}" already`)
    this.#answerers.set(topic, answerer)
  }

  backlog({ owner }: { readonly owner: number }): number {
    return this.#carrier.backlog(owner)
  }

  setMembers(members: readonly Member[]): void {
    this.#members = members
    for (const { owner } of members) this.#met.add(owner)
    forgetLongGone(this.#met, new Set(members.map(({ owner }) => owner)))
    for (const [id, { to, whom }] of this.#questions) {
      if (!members.some(({ owner }) => owner === to)) this.#fail(id, new UnreachableError(`There is no answer from ${whom}: that process has ended`))
    }
    for (const listener of this.#onMembers) this.#guard('members', listener)
    if (this.#early.length > 0) this.#takeEarly()
  }

  /** A letter has come. The master may have told who sends it of this process, and not yet this process of him: until then he cannot be answered. */
  receive(kind: PostKind, letter: Letter): void {
    if (this.#met.has(letter.from)) this.#open(kind, letter)
    else if (this.#early.push({ kind, letter, cameAt: performance.now() }) > MAX_EARLY) {
      this.#early.shift()
      this.#log.warn({ from: letter.from }, 'A process that nobody has told of sends much: what it sent first is dropped')
    }
  }

  #takeEarly(): void {
    const early = this.#early
    const oldest = performance.now() - EARLY_MS
    this.#early = early.filter(({ letter, cameAt }) => !this.#met.has(letter.from) && cameAt > oldest)
    for (const { kind, letter } of early) if (this.#met.has(letter.from)) this.#open(kind, letter)
  }

  #open(kind: PostKind, letter: Letter): void {
    const { topic, id } = letter
    const from = this.#members.find(({ owner }) => owner === letter.from) ?? { role: 'worker', index: -1, owner: letter.from, isLeaving: true }
    const body: unknown = deserialize(letter.body)
    if (kind === 'post') this.#guard(topic, () => this.#listeners.get(topic)?.(body, from))
    else if (kind === 'ask') void this.#answer(topic, id, body, from)
    else if (kind === 'answer') this.#take(id)?.resolve(body)
    else this.#fail(id, thrownThere(body as ThrownError))
  }

  /** Nothing is waited for any more. */
  close(): void {
    for (const [id, { whom }] of this.#questions) this.#fail(id, new UnreachableError(`There is no answer from ${whom}: this process stops`))
  }

  async #answer(topic: string, id: number, body: unknown, from: Member): Promise<void> {
    try {
      const answerer = this.#answerers.get(topic)
      if (answerer === undefined) throw new UnreachableError(`That process has no answer to "${topic}"`)
      this.#carrier.carry(from.owner, { kind: 'answer', topic, id, body: serialize(await answerer(body, from)) })
    } catch (error) {
      this.#carrier.carry(from.owner, { kind: 'unanswered', topic, id, body: serialize(plainError(error)) })
    }
  }

  #take(id: number): Question | undefined {
    const question = this.#questions.get(id)
    this.#questions.delete(id)
    clearTimeout(question?.timer)
    return question
  }

  #fail(id: number, error: Error): void {
    this.#take(id)?.reject(error)
  }

  #guard(topic: string, listener: () => unknown): void {
    try {
      const result = listener()
      if (result instanceof Promise) result.catch((error: unknown) => this.#failed(error, topic))
    } catch (error) {
      this.#failed(error, topic)
    }
  }

  #failed(error: unknown, topic: string): void {
    this.#log.error({ err: error, topic }, 'A message of another process could not be handled')
  }
}
