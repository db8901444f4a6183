import type { Environment } from './environment.ts'
import type { Finding, Path } from './finding.ts'

export type Sources = ReadonlyMap<string, string>

export interface Interpolated {
  readonly value: unknown
  readonly findings: Finding[]
  /** The text as it was written of every value that a variable went into, by its path as JSON. */
  readonly sources: Sources
}

// "$${" stands for itself; the end may be missing, which is a mistake to report.
const PLACEHOLDER = /\$\$\{|\$\{([^}]*)(\}?)/g
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s

/** Fills `${VAR}` and `${VAR:-default}` into every text value. As in a shell, the default also stands in for an empty variable. */
export function interpolate(value: unknown, environment: Environment): Interpolated {
  const findings: Finding[] = []
  const sources = new Map<string, string>()
  return { value: visit(value, []), findings, sources }

  function visit(node: unknown, path: Path): unknown {
    if (typeof node === 'string') return fill(node, path)
    if (Array.isArray(node)) return node.map((item, index) => visit(item, [...path, index]))
    if (typeof node !== 'object' || node === null) return node
    return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, visit(item, [...path, key])]))
  }

  function fill(text: string, path: Path): string {
    if (!text.includes('${')) return text
    sources.set(JSON.stringify(path), text)
    return text.replace(PLACEHOLDER, (placeholder, inner: string | undefined, end: string) => {
      if (inner === undefined) return '${'
      const [, name, fallback] = (end === '' ? null : VARIABLE.exec(inner)) ?? []
      if (name === undefined) {
        findings.push({ path, message: `"${placeholder}" is not a variable: expected \${NAME} or \${NAME:-default}; a literal "\${" is written "$\${"` })
        return ''
      }
      // Not an inherited member such as "constructor".
      const found = Object.hasOwn(environment, name) ? environment[name] : undefined
      if (fallback !== undefined) return found === undefined || found === '' ? fallback : found
      if (found === undefined)
        findings.push({ path, message: `the environment variable ${name} is not set: set it, or give a default with \${${name}:-default}` })
      return found ?? ''
    })
  }
}
