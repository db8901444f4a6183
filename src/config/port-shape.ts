import type { ParsedPort, Shaped } from './check-shape.ts'
import type { Path } from './finding.ts'
import { at } from './issue-text.ts'
import { ConfigSchema } from './schema.ts'

// zod's own words are not used, and finding them fails for a value with an odd member "constructor".
export const NO_WORDS = { error: (): string => '' }

const schema = ConfigSchema.shape.ports.element

// While one of these is wrong, nothing can be said of the others.
const DECISIVE: ReadonlySet<unknown> = new Set(['protocol', 'port', 'path', 'framing', 'tls', 'http2', 'websocket'])
// Stands for one that is missing or wrong: that has been found, and is not told twice.
const NO_HANDLER = { handler: './' }

/** A port; or what is right of it, where its mistakes have no bearing on the rest. */
export function asFarAsRight(given: unknown, path: Path): Shaped<ParsedPort>[] {
  const whole = schema.safeParse(given, NO_WORDS)
  if (whole.success) return [{ path, given, value: whole.data }]
  const wrong = new Set<unknown>(whole.error.issues.map((issue) => issue.path[0]))
  if (wrong.has(undefined) || [...wrong].some((key) => DECISIVE.has(key))) return []
  const right = Object.fromEntries(Object.entries(given as object).filter(([key]) => !wrong.has(key)))
  const rest = schema.safeParse({ ...NO_HANDLER, ...right }, NO_WORDS)
  return rest.success ? [{ path, given: right, value: rest.data }] : []
}

const PLACE_KEYS = ['enabled', 'name', 'protocol', 'host', 'port', 'path'] as const
type PlaceKey = (typeof PLACE_KEYS)[number]

/** What a port says of its name and address, whatever else is wrong with it. */
export interface PortPlace {
  readonly path: Path
  /** Only what is right, with the defaults of what is not there. */
  readonly value: { readonly [K in PlaceKey]?: ParsedPort[K] }
  readonly wrong: ReadonlySet<PlaceKey>
}

export function placeOf(given: unknown, path: Path): PortPlace {
  const value: Record<string, unknown> = {}
  const wrong = new Set<PlaceKey>()
  for (const key of PLACE_KEYS) {
    const result = schema.shape[key].safeParse(at(given, [key]), NO_WORDS)
    if (!result.success) wrong.add(key)
    else if (result.data !== undefined) value[key] = result.data
  }
  return { path, value, wrong }
}
