import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** `gc()` of V8. @see {@link https://github.com/v8/v8/blob/main/src/extensions/gc-extension.h} */
export type Collect = (options: { type: 'minor' } | { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void

let collector: Collect | undefined

/** What collects garbage in this process, when it can be had. */
export function getCollector(): Collect | undefined {
  if (collector === undefined) {
    setFlagsFromString('--expose-gc')
    // In a context of its own: user code sees no `gc`.
    const gc: unknown = runInNewContext('globalThis.gc')
    if (typeof gc === 'function') collector = gc as Collect
  }
  return collector
}
