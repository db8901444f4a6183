import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Table } from '../../src/contracts/table.ts'
import { sharedMemoryDir } from '../../src/shared/memory-folder.ts'
import { Store } from '../../src/shared/store.ts'
import { createTables, type OpenTables } from '../../src/shared/tables.ts'
import { TABLES } from '../fixtures/shared/tables.ts'

const PROGRAM = fileURLToPath(new URL('../fixtures/shared/store-process.ts', import.meta.url))

/** What `t.after` and `after` of a suite have in common. */
export type Scope = Pick<TestContext, 'after'>

export function temporaryFolder(t: Scope): string {
  const folder = mkdtempSync(join(tmpdir(), 'polyport-shared-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** An empty store on the machine's shared memory, gone after the test. */
export function emptyStore(t: Scope): Store {
  const store = Store.create({ dir: sharedMemoryDir(temporaryFolder(t)) })
  t.after(() => store.destroy())
  return store
}

/** The shared memory of a daemon, as its master has it, and processes that share it. */
export class SharedMemory {
  readonly store: Store
  tables: OpenTables
  readonly #t: Scope
  readonly #dir: string
  readonly dataDir: string

  constructor(t: Scope) {
    this.#t = t
    this.dataDir = temporaryFolder(t)
    this.#dir = sharedMemoryDir(this.dataDir)
    this.store = Store.create({ dir: this.#dir })
    this.tables = this.#openTables()
    t.after(() => {
      this.tables[Symbol.dispose]()
      this.store.destroy()
    })
  }

  table(name: string): Table {
    const table = this.tables[name]
    if (table === undefined) throw new Error(`No table ${name}`)
    return table
  }

  /** Closes what is on disk and opens it again. */
  reopenTables(): void {
    this.tables[Symbol.dispose]()
    this.tables = this.#openTables()
  }

  async start(): Promise<StoreProcess> {
    const child = fork(PROGRAM, [this.#dir, this.dataDir])
    const started = new StoreProcess(child)
    this.#t.after(() => started.kill())
    await started.message('isReady')
    return started
  }

  startAll(count: number): Promise<StoreProcess[]> {
    return Promise.all(Array.from({ length: count }, () => this.start()))
  }

  #openTables(): OpenTables {
    return createTables(this.store, TABLES, { dataDir: this.dataDir, isMaster: true })
  }
}

/** A process that does jobs of `test/fixtures/shared/store-process.ts`. */
export class StoreProcess {
  readonly child: ChildProcess

  constructor(child: ChildProcess) {
    this.child = child
  }

  /** Resolves with what the job returns. */
  async run(job: string, ...args: unknown[]): Promise<unknown> {
    this.begin(job, ...args)
    return await this.message('result')
  }

  /** For a job that does not end. */
  begin(job: string, ...args: unknown[]): void {
    this.child.send({ job, args })
  }

  /** The next thing that the process sends: that member of it. */
  async message(member: string): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const onExit = (code: number | null, signal: string | null): void => reject(new Error(`The process ended with ${code ?? signal}`))
    const onMessage = (message: Record<string, unknown>): void => resolve(message[member])
    this.child.once('exit', onExit).once('message', onMessage)
    try {
      return await promise
    } finally {
      this.child.off('exit', onExit).off('message', onMessage)
    }
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const exited = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await exited
  }
}
