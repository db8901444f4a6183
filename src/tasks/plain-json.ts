// Deeper values are rare, and may be cycles.
const MAX_DEPTH = 16

/**
 * Whether JSON gives a value back exactly as structured clone would: nothing but text, booleans, null, finite numbers, plain objects and
 * arrays without holes. It costs a twentieth then.
 */
export function isPlainJson(value: unknown, depth = 0): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0)
  if (typeof value !== 'object' || depth === MAX_DEPTH) return false
  if (Array.isArray(value)) return Object.keys(value).length === value.length && value.every((item) => isPlainJson(item, depth + 1))
  if (Object.getPrototypeOf(value) !== Object.prototype || 'toJSON' in value) return false
  for (const key in value) if (!isPlainJson((value as Record<string, unknown>)[key], depth + 1)) return false
  return true
}
