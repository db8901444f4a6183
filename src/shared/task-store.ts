import { join } from 'node:path'
import type { Database, RootDatabase } from 'lmdb'
import { makeFolder } from '../make-folder.ts'
import { open } from './lmdb.ts'

// Address space, not memory; it grows by itself.
const MAP_BYTES = 16 * 1024 * 1024 * 1024
const KEY_BYTES = 8
const VERSION_KEY = Buffer.from('version')
// How long what the disk has refused waits, where nothing else is written meanwhile.
const RETRY_MS = 1000

type Changes = Map<number, Buffer | undefined>

/** What is written at once, all or nothing: by table and number the value, undefined for one that goes. */
interface Batch {
  readonly tasks: Changes
  readonly failed: Changes
  readonly producers: Changes
  /** Tasks that nobody counts on before they are on disk. */
  readonly fresh: Map<number, Buffer>
  isOver: boolean
}

const TABLES = ['tasks', 'failed', 'producers'] as const

/**
 * The tasks on disk: LMDB with one writer, the process that owns it. Without `useWritemap`, unlike the shared memory: a commit writes its pages,
 * syncs, and then the page that makes them valid, so one that is killed at any moment leaves what the last commit left. That is not enough
 * where several processes write (see Store); the next single owner begins with a lock of its own.
 */
export class TaskStore {
  readonly #root: RootDatabase<Buffer, Buffer>
  readonly #tasks: Database<Buffer, Buffer>
  readonly #failed: Database<Buffer, Buffer>
  readonly #producers: Database<Buffer, Buffer>
  readonly #onRefused: (error: unknown) => void
  #waiting: Batch = emptyBatch()
  /** On the way to the disk, in this order. */
  readonly #leaving: Batch[] = []
  #isRefused = false
  #retry: NodeJS.Timeout | undefined
  #last: Promise<unknown> = Promise.resolve()
  #isScheduled = false
  readonly #flush = (): void => this.#write()
  #isOpen = true

  /**
   * Opens, or makes, the store of a folder.
   * @param options `version`: of the form of the values; `onRefused` is told when the disk begins to refuse what is written
   * @throws Error when the store has another version, or the folder cannot be written
   */
  constructor(options: { dir: string; version: number; onRefused?: (error: unknown) => void }) {
    this.#onRefused = options.onRefused ?? ((): void => {})
    makeFolder(options.dir, 0o700)
    this.#root = open({
      path: join(options.dir, 'tasks'),
      encoding: 'binary',
      keyEncoding: 'binary',
      mapSize: MAP_BYTES,
      maxDbs: 8,
      commitDelay: 0,
      // What belongs together is put together here: of lmdb's own batches a failure cannot be caught.
      eventTurnBatching: false,
      // A commit is done when it is on disk.
      overlappingSync: false,
    })
    this.#tasks = this.#database('tasks')
    this.#failed = this.#database('failed')
    this.#producers = this.#database('producers')
    this.#checkVersion(options)
  }

  /** Every task, copied. */
  *tasks(): IterableIterator<Buffer> {
    for (const { value } of this.#tasks.getRange({})) yield Buffer.from(value)
  }

  task(id: number): Buffer | undefined {
    return this.#tasks.getBinary(key(id))
  }

  /** A task that is new: when the commit fails, it is on no disk, and is not written again. */
  add(id: number, record: Buffer): void {
    this.#soon().fresh.set(id, record)
  }

  put(id: number, record: Buffer): void {
    this.#soon().tasks.set(id, record)
  }

  remove(id: number): void {
    this.#soon().tasks.set(id, undefined)
  }

  /** Those that have failed, by number. */
  *failed(): IterableIterator<{ id: number; value: Buffer }> {
    for (const { key: bytes, value } of this.#failed.getRange({})) yield { id: numberOf(bytes), value: Buffer.from(value) }
  }

  failedTask(id: number): Buffer | undefined {
    return this.#failed.getBinary(key(id))
  }

  putFailed(id: number, value: Buffer): void {
    this.#soon().failed.set(id, value)
  }

  removeFailed(id: number): void {
    this.#soon().failed.set(id, undefined)
  }

  /** The last number that was accepted of each process that delivers. */
  producers(): Map<number, number> {
    return new Map(Array.from(this.#producers.getRange({}), ({ key: bytes, value }) => [numberOf(bytes), numberOf(value)]))
  }

  setProducer(producer: number, last: number): void {
    this.#soon().producers.set(producer, key(last))
  }

  removeProducer(producer: number): void {
    this.#soon().producers.set(producer, undefined)
  }

  /** Resolves when all that was written before is on disk. @throws Error when it cannot be: nothing of it is there then, and all but what is new is tried again */
  async commit(): Promise<void> {
    if (!this.#isOpen) throw new Error('The store is closed')
    this.#write()
    try {
      await this.#last
    } catch (error) {
      throw await reasonOf(error)
    }
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return
    this.#write()
    this.#isOpen = false
    clearTimeout(this.#retry)
    await this.#last.catch(() => {})
    await this.#root.close()
  }

  #database(name: string): Database<Buffer, Buffer> {
    return this.#root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' })
  }

  #soon(): Batch {
    if (!this.#isScheduled) {
      this.#isScheduled = true
      setImmediate(this.#flush)
    }
    return this.#waiting
  }

  #write(): void {
    this.#isScheduled = false
    const batch = this.#waiting
    if (isEmpty(batch) || !this.#isOpen) return
    this.#waiting = emptyBatch()
    this.#leaving.push(batch)
    const written = this.#root.batch(() => {
      for (const [id, record] of batch.fresh) void this.#tasks.put(key(id), record)
      change(this.#tasks, batch.tasks)
      change(this.#failed, batch.failed)
      change(this.#producers, batch.producers)
    })
    this.#last = written
    void written.then(
      () => this.#over(batch),
      (error: unknown) => this.#refused(batch, error),
    )
  }

  #over(batch: Batch, isRefused = false): void {
    this.#isRefused = isRefused
    batch.isOver = true
    while (this.#leaving[0]?.isOver === true) this.#leaving.shift()
  }

  /** What has changed has changed, though the disk is full: a task that is done must not be there at the next start. */
  async #refused(batch: Batch, error: unknown): Promise<void> {
    const later = [...this.#leaving.slice(this.#leaving.indexOf(batch) + 1), this.#waiting]
    for (const table of TABLES) {
      for (const [id, value] of batch[table]) if (!later.some((one) => one[table].has(id))) this.#waiting[table].set(id, value)
    }
    const wasRefused = this.#isRefused
    this.#over(batch, true)
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined
      this.#write()
    }, RETRY_MS).unref()
    const reason = await reasonOf(error)
    if (!wasRefused) this.#onRefused(reason)
  }

  #checkVersion({ dir, version }: { dir: string; version: number }): void {
    const meta = this.#database('meta')
    const found = meta.getBinary(VERSION_KEY)?.[0]
    if (found === undefined) void meta.put(VERSION_KEY, Buffer.from([version])).catch(reasonOf)
    else if (found !== version) throw new Error(`Cannot use the tasks in ${dir}: they are of version ${found}, expected ${version}`)
  }
}

function emptyBatch(): Batch {
  return { tasks: new Map(), failed: new Map(), producers: new Map(), fresh: new Map(), isOver: false }
}

function isEmpty({ tasks, failed, producers, fresh }: Batch): boolean {
  return tasks.size + failed.size + producers.size + fresh.size === 0
}

function change(table: Database<Buffer, Buffer>, changes: Changes): void {
  for (const [id, value] of changes) {
    if (value === undefined) void table.remove(key(id))
    else void table.put(key(id), value)
  }
}

/** lmdb says why a commit has failed by a promise beside the error, which rejects. */
async function reasonOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error)) return error
  try {
    await (error as { commitError?: PromiseLike<unknown> }).commitError
    return error
  } catch (reason) {
    return new Error(`The disk refuses: ${reason instanceof Error ? reason.message : String(reason)}`, { cause: reason })
  }
}

function key(id: number): Buffer {
  const bytes = Buffer.allocUnsafe(KEY_BYTES)
  bytes.writeUInt32BE(Math.floor(id / 2 ** 32), 0)
  bytes.writeUInt32BE(id % 2 ** 32, 4)
  return bytes
}

function numberOf(bytes: Buffer): number {
  return bytes.readUInt32BE(0) * 2 ** 32 + bytes.readUInt32BE(4)
}
