import type { ToMaster, ToWorker } from '../ipc/messages.ts'
import type { WorkerChild } from './worker-child.ts'

// A process that is busy for longer is not waited for. Before connections move the time is long for workers: what one sends that has not heard of
// the move may be lost. A task may hold its process up for minutes.
const PEERS_WAIT_MS = 2000
const MOVES_WAIT_MS = 10_000
// A scrape answers without a process that is stuck.
const REPORT_WAIT_MS = 500

/** All processes of the daemon: numbers them, tells each of all others, and has them report. */
export class Roster {
  readonly #groups: (() => readonly WorkerChild[])[] = []
  readonly #asked = new Map<number, { readonly child: WorkerChild; readonly answer: (isThere: boolean) => void }>()
  /** Those whose end is waited for. */
  readonly #watched = new WeakSet<WorkerChild>()
  #lastOwner = 0
  #lastId = 0

  nextOwner(): number {
    return ++this.#lastOwner
  }

  /** These are processes of the daemon, too. */
  include(group: () => readonly WorkerChild[]): void {
    this.#groups.push(group)
  }

  get children(): WorkerChild[] {
    return this.#groups.flatMap((group) => group())
  }

  /** Tells every process of all others. Resolves when workers have heard it; before connections move, when all have. */
  async tellPeers(options: { beforeMoves?: boolean; waitMs?: number } = {}): Promise<void> {
    const { beforeMoves = false, waitMs = PEERS_WAIT_MS } = options
    const children = this.children.filter((child) => child.isOnBus)
    const peers = children.map((child) => child.peer)
    const heard = children.map((child) => {
      const isWorker = child.place.role === 'worker'
      const done = this.#ask(child, isWorker && beforeMoves ? MOVES_WAIT_MS : waitMs, (id) => ({ type: 'peers', id, peers }))
      return isWorker || beforeMoves ? done : undefined
    })
    await Promise.all(heard)
  }

  /** The log file may have been moved away. New processes open it by themselves, but if a reload fails the old ones go on. */
  reopenLogs(): void {
    for (const child of this.children) child.send({ type: 'reopenLog' })
  }

  /** Has processes report. Resolves with the number of those that did not in time. */
  async refresh(children: readonly WorkerChild[]): Promise<number> {
    const answers = await Promise.all(
      children.map((child) => (child.state === 'starting' ? false : this.#ask(child, REPORT_WAIT_MS, (id) => ({ type: 'report', id })))),
    )
    return answers.filter((isThere) => !isThere).length
  }

  /** What a process says, before anybody else hears it. */
  hear(message: ToMaster): void {
    if (message.type === 'joined') void this.tellPeers()
    else if (message.type === 'peered') this.#asked.get(message.id)?.answer(true)
    else if (message.type === 'report' && message.id !== undefined) this.#asked.get(message.id)?.answer(true)
  }

  async #ask(child: WorkerChild, ms: number, question: (id: number) => ToWorker): Promise<boolean> {
    const id = ++this.#lastId
    this.#watch(child)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const timer = setTimeout(resolve, ms, false)
    this.#asked.set(id, { child, answer: resolve })
    // There is nobody to wait for.
    if (!child.send(question(id))) resolve(false)
    const isThere = await promise
    clearTimeout(timer)
    this.#asked.delete(id)
    return isThere
  }

  /** Waits for its end once: each further wait would be kept for as long as it lives. */
  #watch(child: WorkerChild): void {
    if (this.#watched.has(child)) return
    this.#watched.add(child)
    void child.ended.then(() => {
      for (const asked of this.#asked.values()) if (asked.child === child) asked.answer(false)
    })
  }
}
