import type { TableConfig } from '../config/schema.ts'
import { RowCodec } from './row-codec.ts'
import type { Store } from './store.ts'

/**
 * Brings the rows of a persistent table to the columns that the config has now: a column keeps its values by name, a new one
 * is 0 or ''.
 * @throws TableValueError when a value does not fit its column any more; nothing is changed then
 */
export function migrate(store: Store, name: string, config: TableConfig): void {
  const schemas = store.rows('schemas')
  const key = Buffer.from(name)
  const wanted = JSON.stringify(config.columns)
  const had = schemas.get(key)?.toString()
  if (had === wanted) return
  store.transaction(() => {
    if (had !== undefined) rewrite(store, name, JSON.parse(had) as TableConfig['columns'], config.columns)
    schemas.put(key, Buffer.from(wanted))
  })
}

function rewrite(store: Store, name: string, from: TableConfig['columns'], to: TableConfig['columns']): void {
  const old = new RowCodec(name, from)
  const next = new RowCodec(name, to)
  const rows = store.rows(`table ${name}`)
  const kept = new Set(Object.keys(to))
  for (const { key, value } of rows.range(Buffer.from([0]), Number.MAX_SAFE_INTEGER)) {
    const row = Object.entries(old.decode(value)).filter(([column]) => kept.has(column))
    rows.put(key, next.encode(Object.fromEntries(row)))
  }
}
