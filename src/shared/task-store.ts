import { join } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import { makeFolder } from '../make-folder.ts'

// Address space, not memory; it grows by itself.
const MAP_BYTES = 16 * 1024 * 1024 * 1024
const KEY_BYTES = 8
const VERSION_KEY = Buffer.from('version')

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
  /** Written with the next batch, all or nothing. */
  #waiting: (() => unknown)[] = []
  #last: Promise<unknown> = Promise.resolve()
  #isScheduled = false
  readonly #flush = (): void => this.#write()
  #isOpen = true

  /**
   * Opens, or makes, the store of a folder.
   * @param version of the form of the values
   * @throws Error when the store has another version, or the folder cannot be written
   */
  constructor(options: { dir: string; version: number }) {
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

  put(id: number, record: Buffer): void {
    this.#soon(() => this.#tasks.put(key(id), record))
  }

  remove(id: number): void {
    this.#soon(() => this.#tasks.remove(key(id)))
  }

  /** Those that have failed, by number. */
  *failed(): IterableIterator<{ id: number; value: Buffer }> {
    for (const { key: bytes, value } of this.#failed.getRange({})) yield { id: numberOf(bytes), value: Buffer.from(value) }
  }

  failedTask(id: number): Buffer | undefined {
    return this.#failed.getBinary(key(id))
  }

  putFailed(id: number, value: Buffer): void {
    this.#soon(() => this.#failed.put(key(id), value))
  }

  removeFailed(id: number): void {
    this.#soon(() => this.#failed.remove(key(id)))
  }

  /** The last number that was accepted of each process that delivers. */
  producers(): Map<number, number> {
    return new Map(Array.from(this.#producers.getRange({}), ({ key: bytes, value }) => [numberOf(bytes), numberOf(value)]))
  }

  setProducer(producer: number, last: number): void {
    this.#soon(() => this.#producers.put(key(producer), key(last)))
  }

  removeProducer(producer: number): void {
    this.#soon(() => this.#producers.remove(key(producer)))
  }

  /** Resolves when all that was written before is on disk. @throws Error when it cannot be: nothing of it is there then */
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
    await this.#last.catch(() => {})
    await this.#root.close()
  }

  #database(name: string): Database<Buffer, Buffer> {
    return this.#root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' })
  }

  #soon(operation: () => unknown): void {
    this.#waiting.push(operation)
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(this.#flush)
  }

  #write(): void {
    this.#isScheduled = false
    if (this.#waiting.length === 0 || !this.#isOpen) return
    const operations = this.#waiting
    this.#waiting = []
    this.#last = this.#root.batch(() => {
      for (const operation of operations) operation()
    })
    // Who waits for the commit is told.
    this.#last.catch(reasonOf)
  }

  #checkVersion({ dir, version }: { dir: string; version: number }): void {
    const meta = this.#database('meta')
    const found = meta.getBinary(VERSION_KEY)?.[0]
    if (found === undefined) this.#soon(() => meta.put(VERSION_KEY, Buffer.from([version])))
    else if (found !== version) throw new Error(`Cannot use the tasks in ${dir}: they are of version ${found}, expected ${version}`)
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
