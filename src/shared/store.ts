import { join } from 'node:path'
import type { Database, RootDatabase } from 'lmdb'
import { makeFolder } from '../make-folder.ts'
import { rmSync } from '../node-fs.ts'
import { open } from './lmdb.ts'
import { checkOwner } from './memory-folder.ts'

/** The only file that knows LMDB, but for that of the tasks (task-store.ts). */

// Address space, not memory: pages are taken from the tmpfs as they are used.
const MAP_BYTES = 4 * 1024 * 1024 * 1024
const MAX_DATABASES = 512

const BINARY = { encoding: 'binary', keyEncoding: 'binary' } as const
const LMDB_OPTIONS = {
  ...BINARY,
  eventTurnBatching: false,
  commitDelay: 0,
  // Processes that read at the same time, by LMDB's own default 126.
  maxReaders: 1024,
  // With it, close() waits for ever when the last writer was killed in the midst of a commit.
  overlappingSync: false,
} as const

// LMDB must not find a page left over when it commits; see Store.#soakUp. A value of one page for itself.
const SPONGE_VALUE = Buffer.alloc(2100)
const SPONGE_ROWS = 64

/** Rows of bytes in key order, within a store. */
export interface Rows {
  readonly count: number
  get(key: Buffer): Buffer | undefined
  /** As `get`, without a copy: the bytes are good until the next call of this store. */
  peek(key: Buffer): Buffer | undefined
  has(key: Buffer): boolean
  put(key: Buffer, value: Buffer): void
  /** @returns whether it was there */
  delete(key: Buffer): boolean
  clear(): void
  /** Up to `limit` rows from `start` on, copied. */
  range(start: Buffer, limit: number): { key: Buffer; value: Buffer }[]
}

// Of this process.
const openStores = new Set<Store>()

/** Memory that several processes share: LMDB on a tmpfs. Every write is a transaction; a killed writer leaves no lock and no half write. */
export class Store {
  readonly #gate: RootDatabase<Buffer, Buffer>
  readonly #root: RootDatabase<Buffer, Buffer>
  readonly #sponge: Database<Buffer, Buffer>
  readonly dir: string
  /** What is open, by name: opening waits for all writers. */
  readonly #rows = new Map<string, Rows>()
  #isInTransaction = false
  /** Pages that the deletions of this transaction have emptied. */
  #emptied = 0
  #isSpongeLarge = false
  #isFresh = false
  #isOpen = true
  readonly #stale = (): void => {
    this.#isFresh = false
  }

  private constructor(dir: string, options: { isDurable: boolean }) {
    this.dir = dir
    this.#gate = open({ ...LMDB_OPTIONS, path: join(dir, 'gate'), noSync: true })
    const { root, sponge } = this.#locked(() => this.#open(options))
    this.#root = root
    this.#sponge = sponge
    openStores.add(this)
  }

  #open(options: { isDurable: boolean }): { root: RootDatabase<Buffer, Buffer>; sponge: Database<Buffer, Buffer> } {
    const root = open<Buffer, Buffer>({
      ...LMDB_OPTIONS,
      path: join(this.dir, 'store'),
      mapSize: MAP_BYTES,
      maxDbs: MAX_DATABASES,
      // In memory there is nothing to wait for. On disk, a commit waits for what it has written, but not for the page that
      // makes it the latest: a crash of the machine may undo the last commits, and never leaves half of one.
      noSync: !options.isDurable,
      noMetaSync: true,
      // Without it, a writer that is killed within its commit can leave the store so that nobody writes to it again
      // (MDB_PROBLEM, seen after some tens of kills; none in 400 with it). It has a price: a full tmpfs ends the process.
      useWritemap: true,
    })
    return { root, sponge: root.openDB<Buffer, Buffer>({ name: 'sponge', ...BINARY }) }
  }

  /**
   * Makes an empty store, in place of what was there.
   * @param options `uid`: who may have left the folder there, besides the user of this process
   * @throws Error when the folder belongs to somebody else
   */
  static create(options: { dir: string; uid?: number | undefined }): Store {
    checkOwner(options.dir, options.uid)
    rmSync(options.dir, { recursive: true, force: true })
    makeFolder(options.dir, 0o700)
    return new Store(options.dir, { isDurable: false })
  }

  /** Opens the store that another process has made. */
  static open(options: { dir: string }): Store {
    checkOwner(options.dir)
    return new Store(options.dir, { isDurable: false })
  }

  /** Opens, or makes, a store on disk. What is in it survives restarts, `kill -9` too. */
  static openDurable(options: { dir: string }): Store {
    makeFolder(options.dir, 0o700)
    return new Store(options.dir, { isDurable: true })
  }

  rows(name: string): Rows {
    const known = this.#rows.get(name)
    if (known !== undefined) return known
    this.#mustBeOpen()
    const open = (): Database<Buffer, Buffer> => this.#root.openDB<Buffer, Buffer>({ name, ...BINARY })
    // With a transaction that fails what was opened in it is gone.
    if (this.#isInTransaction) return new StoreRows(this, open())
    const rows = new StoreRows(this, this.#locked(open))
    this.#rows.set(name, rows)
    return rows
  }

  /**
   * All that `fn` writes, or nothing when it throws; one process at a time. Within another transaction it is a part of that one.
   * @throws TypeError when `fn` is async: nothing of it is kept
   */
  transaction<T>(fn: () => T): T {
    if (this.#isInTransaction) return settled(fn())
    this.#mustBeOpen()
    this.#isInTransaction = true
    this.#emptied = 0
    let result: T | undefined
    try {
      this.#locked(() =>
        // LMDB is not given the result: it would hold the lock until a promise is done.
        this.#root.transactionSync(() => {
          result = settled(fn())
          this.#soakUp()
        }),
      )
    } finally {
      this.#isInTransaction = false
    }
    return result as T
  }

  /**
   * LMDB 0.9.90 (lmdb 3.5.6) tells all processes, when one opens a store, that the latest transaction is the one which it has read just
   * before. Those committed meanwhile are lost then, and pages in use are written again. So nobody commits while somebody opens: the lock for
   * that is the one of another store, to which nothing is ever written.
   */
  #locked<T>(fn: () => T): T {
    return this.#gate.transactionSync(fn)
  }

  /** @internal Within a transaction: a deletion has made a tree smaller by so many pages. */
  emptied(pages: number): void {
    this.#emptied += pages
  }

  /**
   * With `useWritemap`, LMDB aborts the process (mdb_freelist_save: Assertion 'x <= dl[0].mid') when a transaction commits that
   * has emptied pages it had written itself, and no pages of earlier transactions are free. Within a transaction such pages are
   * the first to be used again, so as many are written here.
   */
  #soakUp(): void {
    if (this.#isSpongeLarge) {
      this.#sponge.clearSync()
      this.#isSpongeLarge = false
    }
    // Each key once: a second value would take the place of the first.
    for (let i = 0; i < this.#emptied; i++) this.#sponge.putSync(spongeKey(i), SPONGE_VALUE)
    this.#isSpongeLarge = this.#emptied > SPONGE_ROWS
  }

  /**
   * Every synchronous run of code sees the store as it is when its first read happens, its own writes included. What another
   * process tells by a message is always there.
   * @internal
   */
  fresh(): void {
    if (this.#isFresh || this.#isInTransaction) return
    this.#mustBeOpen()
    this.#root.resetReadTxn()
    this.#isFresh = true
    queueMicrotask(this.#stale)
  }

  /** Who embeds a daemon may still have its tables in hand. */
  #mustBeOpen(): void {
    if (!this.#isOpen) throw new Error('The daemon has stopped: its tables, counters, users and groups are closed')
  }

  /** A process has died: in the stores that are open here, its read transactions no longer hold old pages back. */
  static checkReaders(): void {
    for (const store of openStores) store.#root.readerCheck()
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    openStores.delete(this)
    void this.#root.close()
    void this.#gate.close()
  }

  /** Closes and removes it. */
  destroy(): void {
    this.close()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

interface Tree {
  stat(): { treeBranchPageCount: number; treeLeafPageCount: number; overflowPages: number }
}

class StoreRows implements Rows {
  readonly #store: Store
  readonly #database: Database<Buffer, Buffer>
  /** What lmdb's own getStats() asks; that goes through the list of all free pages too. */
  readonly #tree: Tree

  constructor(store: Store, database: Database<Buffer, Buffer>) {
    this.#store = store
    this.#database = database
    this.#tree = (database as unknown as { db: Tree }).db
  }

  get count(): number {
    this.#store.fresh()
    return (this.#database.getStats() as { entryCount: number }).entryCount
  }

  get(key: Buffer): Buffer | undefined {
    this.#store.fresh()
    return this.#database.getBinary(key)
  }

  peek(key: Buffer): Buffer | undefined {
    this.#store.fresh()
    return this.#database.getBinaryFast(key)
  }

  has(key: Buffer): boolean {
    return this.peek(key) !== undefined
  }

  put(key: Buffer, value: Buffer): void {
    this.#database.putSync(key, value)
  }

  delete(key: Buffer): boolean {
    return this.#store.transaction(() => {
      const before = this.#pages
      const wasThere = this.#database.removeSync(key)
      this.#store.emptied(before - this.#pages)
      return wasThere
    })
  }

  clear(): void {
    this.#database.clearSync()
  }

  range(start: Buffer, limit: number): { key: Buffer; value: Buffer }[] {
    this.#store.fresh()
    return Array.from(this.#database.getRange({ start, limit }), ({ key, value }) => ({ key: Buffer.from(key), value: Buffer.from(value) }))
  }

  /** Within a transaction. */
  get #pages(): number {
    const { treeBranchPageCount, treeLeafPageCount, overflowPages } = this.#tree.stat()
    return treeBranchPageCount + treeLeafPageCount + overflowPages
  }
}

function spongeKey(i: number): Buffer {
  const key = Buffer.allocUnsafe(4)
  key.writeUInt32BE(i)
  return key
}

/** @throws TypeError for a promise: other processes would wait for it */
function settled<T>(result: T): T {
  if (typeof result === 'object' && result !== null && 'then' in result && typeof result.then === 'function') {
    throw new TypeError('The function of a transaction must not be async: it returned a promise, and nothing of it is kept')
  }
  return result
}
