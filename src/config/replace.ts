import type { Path } from './finding.ts'

/** What stands at a path instead. */
export type Change = (value: unknown) => unknown

/** A copy of plain data with changes at these paths. What no change touches is shared; the work is that of the paths, however many there are. */
export function changed(value: unknown, changes: Iterable<readonly [path: Path, change: Change]>): unknown {
  // The copies are our own to write to.
  const copies = new Set<unknown>()
  const root: { value: unknown } = { value }
  for (const [path, change] of changes) {
    let holder: Record<string | number, unknown> = root
    let key: string | number = 'value'
    for (const part of path) {
      holder = own(holder, key, copies)
      key = part
    }
    write(holder, key, change(read(holder, key)))
  }
  return root.value
}

function own(holder: Record<string | number, unknown>, key: string | number, copies: Set<unknown>): Record<string | number, unknown> {
  const node = read(holder, key)
  if (copies.has(node)) return node as Record<string | number, unknown>
  const copy = (Array.isArray(node) ? [...node] : { ...(node as object) }) as Record<string | number, unknown>
  copies.add(copy)
  write(holder, key, copy)
  return copy
}

function read(holder: object, key: string | number): unknown {
  return Object.getOwnPropertyDescriptor(holder, key)?.value
}

// Not the prototype, whatever the key.
function write(holder: object, key: string | number, value: unknown): void {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true })
}
