/** A key or an index at each level: `['ports', 1, 'framing', 'eof']`. */
export type Path = readonly (string | number)[]

/** Something wrong in the config, before its place in the text is known. */
export interface Finding {
  readonly path: Path
  readonly message: string
  /** The mistake is the key itself, not its value. */
  readonly isKey?: boolean
}

const PART = /^(?:\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|\.?([\w$-]+))/

/** The inverse of `formatPath`. @returns undefined when the text is no such path, or that of the whole file */
export function parsePath(text: string): Path | undefined {
  const path: (string | number)[] = []
  for (let rest = text; rest !== ''; ) {
    const [part = '', index, quoted, key] = PART.exec(rest) ?? []
    if (part === '') return undefined
    path.push(index === undefined ? (key ?? (JSON.parse(quoted ?? '""') as string)) : Number(index))
    rest = rest.slice(part.length)
  }
  return path.length === 0 ? undefined : path
}

/** A path as people write it: `ports[1].framing.eof`. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    if (!/^[\w$-]+$/.test(part)) return `${text}[${JSON.stringify(part)}]`
    return text === '' ? part : `${text}.${part}`
  }, '')
}
