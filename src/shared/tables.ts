import { join } from 'node:path'
import type { TableConfig } from '../config/schema.ts'
import type { Table, Tables } from '../contracts/table.ts'
import { migrate } from './migrate.ts'
import { Store } from './store.ts'
import { SharedTable } from './table.ts'

/** Tables, and what ends their use by this process. */
export type OpenTables = Tables & Disposable

/**
 * The tables of the config, over a store that is open.
 * @param options `dataDir`: where persistent tables are; `isMaster`: bring persistent rows to the columns that the config has now;
 * `instead`: those that are closed when these are open
 * @throws Error when persistent rows do not fit the columns
 */
export function createTables(
  store: Store,
  configs: Readonly<Record<string, TableConfig>>,
  options: { dataDir: string; isMaster?: boolean; instead?: OpenTables | undefined },
): OpenTables {
  const isAnyDurable = Object.values(configs).some((config) => config.persist)
  const durable = isAnyDurable ? Store.openDurable({ dir: join(options.dataDir, 'tables') }) : undefined
  const tables: Record<string, Table | (() => void) | (<T>(fn: () => T) => T)> = Object.create(null)
  try {
    for (const [name, config] of Object.entries(configs)) {
      const home = config.persist && durable !== undefined ? durable : store
      if (home === durable && options.isMaster === true) migrate(home, name, config)
      tables[name] = new SharedTable({ name, config, store: home, rows: home.rows(`table ${name}`) })
    }
  } catch (error) {
    // A reload that fails may be tried again and again.
    durable?.close()
    throw error
  }
  // Persistent rows are committed inside the transaction of the others: when that cannot be begun or `fn` throws, neither happens.
  const transaction = <T>(fn: () => T): T => store.transaction(() => (durable === undefined ? fn() : durable.transaction(fn)))
  Object.defineProperty(tables, 'transaction', { value: transaction, enumerable: false })
  Object.defineProperty(tables, Symbol.dispose, { value: () => durable?.close(), enumerable: false })
  options.instead?.[Symbol.dispose]()
  return tables as unknown as OpenTables
}
