/** A frozen copy of plain data. What is not plain, an instance in the options of an embedded daemon, stays what it is. */
export function frozenCopy<T>(value: T): T {
  return copy(value, new Map()) as T
}

function copy(value: unknown, made: Map<object, unknown>): unknown {
  if (typeof value !== 'object' || value === null || !isPlain(value)) return value
  // Objects may refer to each other in a circle.
  const known = made.get(value)
  if (known !== undefined) return known
  const result: Record<string, unknown> | unknown[] = Array.isArray(value) ? [] : {}
  made.set(value, result)
  for (const [key, member] of Object.entries(value)) Object.defineProperty(result, key, { value: copy(member, made), enumerable: true })
  return Object.freeze(result)
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as unknown
  return Array.isArray(value) || prototype === Object.prototype || prototype === null
}
