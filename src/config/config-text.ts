import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import type { Problem } from '../errors.ts'
import { type Finding, formatPath, type Path } from './finding.ts'

// Deeper than any config, and far from where recursion ends.
const MAX_DEPTH = 100

/** The text of a config file: the values in it, and where each of them stands. */
export class ConfigText {
  readonly value: unknown
  /** Mistakes in the text itself. */
  readonly problems: Problem[] = []
  readonly #file: string
  readonly #text: string
  readonly #tree: Node | undefined
  // Where each line starts.
  readonly #lines: number[] = [0]
  // By object: a mistake is looked up by its keys, and there may be as many of both.
  readonly #properties = new Map<Node, Map<unknown, Node>>()

  constructor(file: string, text: string) {
    this.#file = file
    this.#text = text.replace(/^\uFEFF/, '')
    for (const { index, 0: end } of this.#text.matchAll(/\r\n|\n|\r/g)) this.#lines.push(index + end.length)
    const errors: ParseError[] = []
    try {
      this.#tree = parseTree(this.#text, errors, { allowTrailingComma: true })
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      this.#report(0, '', `nested too deeply, expected at most ${MAX_DEPTH} levels`)
      return
    }
    // One slip makes the parser stumble on: what follows the first in a line is its echo.
    const lines = new Set<number>()
    for (const { error, offset } of errors) {
      const { line } = this.#position(offset)
      if (!lines.has(line)) this.#report(offset, '', SYNTAX[printParseErrorCode(error)] ?? 'not valid JSON')
      lines.add(line)
    }
    if (errors.length === 0 && this.#tree !== undefined) this.value = this.#valueOf(this.#tree, [])
  }

  /** Gives a finding its line and column: those of the nearest thing around it that the text has. */
  locate(finding: Finding): Problem {
    const offset = this.#tree === undefined ? 0 : this.#offsetOf(this.#tree, finding)
    return { file: this.#file, path: formatPath(finding.path), message: finding.message, ...this.#position(offset) }
  }

  #valueOf(node: Node, path: Path): unknown {
    if (path.length > MAX_DEPTH) {
      this.#report(node.offset, formatPath(path.slice(0, 3)), `nested too deeply, expected at most ${MAX_DEPTH} levels`)
      return undefined
    }
    if (node.type === 'array') return (node.children ?? []).map((child, index) => this.#valueOf(child, [...path, index]))
    if (node.type !== 'object') return node.value
    const value: Record<string, unknown> = {}
    for (const { children: [key, child] = [] } of node.children ?? []) {
      if (key === undefined || child === undefined) continue
      const name = key.value as string
      const place = [...path, name]
      // As a key of a plain object it would set the prototype.
      if (name === '__proto__') this.#report(key.offset, formatPath(place), 'the key "__proto__" is not allowed')
      else if (Object.hasOwn(value, name)) this.#report(key.offset, formatPath(place), `the key "${name}" is there twice, expected once`)
      else value[name] = this.#valueOf(child, place)
    }
    return value
  }

  #report(offset: number, path: string, message: string): void {
    this.problems.push({ file: this.#file, path, message, ...this.#position(offset) })
  }

  #position(offset: number): { line: number; column: number } {
    // The last line that does not start behind it.
    let line = 0
    for (let step = 2 ** Math.ceil(Math.log2(this.#lines.length)); step >= 1; step /= 2)
      if ((this.#lines[line + step] ?? Number.POSITIVE_INFINITY) <= offset) line += step
    return { line: line + 1, column: offset - (this.#lines[line] ?? 0) + 1 }
  }

  #offsetOf(tree: Node, { path, isKey }: Finding): number {
    let offset = tree.offset
    let node: Node | undefined = tree
    for (const [depth, part] of path.entries()) {
      if (typeof part === 'number') {
        node = node?.type === 'array' ? node.children?.[part] : undefined
      } else {
        const property: Node | undefined = node?.type === 'object' ? this.#propertiesOf(node).get(part) : undefined
        node = property?.children?.[1]
        if (property !== undefined && isKey === true && depth === path.length - 1) return property.offset
      }
      if (node === undefined) return offset
      offset = node.offset
    }
    return offset
  }

  /** The properties of an object by their keys; of a key that is there twice, the first. */
  #propertiesOf(node: Node): Map<unknown, Node> {
    let properties = this.#properties.get(node)
    if (properties === undefined) {
      properties = new Map((node.children ?? []).toReversed().map((property) => [property.children?.[0]?.value, property]))
      this.#properties.set(node, properties)
    }
    return properties
  }
}

const SYNTAX: Readonly<Record<string, string>> = {
  InvalidSymbol: 'not valid JSON: expected a value, text in double quotes, a number, true, false or null',
  InvalidNumberFormat: 'not valid JSON: this is not a number',
  PropertyNameExpected: 'not valid JSON: expected a key in double quotes',
  ValueExpected: 'not valid JSON: expected a value',
  ColonExpected: 'not valid JSON: expected ":" after the key',
  CommaExpected: 'not valid JSON: expected ","',
  CloseBraceExpected: 'not valid JSON: expected "}"',
  CloseBracketExpected: 'not valid JSON: expected "]"',
  EndOfFileExpected: 'not valid JSON: expected the end of the file',
  UnexpectedEndOfComment: 'not valid JSON: the comment has no end',
  UnexpectedEndOfString: 'not valid JSON: the text has no closing quote',
  UnexpectedEndOfNumber: 'not valid JSON: the number has no end',
  InvalidUnicode: 'not valid JSON: expected four hexadecimal digits after \\u',
  InvalidEscapeCharacter: 'not valid JSON: unknown escape, expected \\" \\\\ \\/ \\b \\f \\n \\r \\t or \\uXXXX',
  InvalidCharacter: 'not valid JSON: a control character in a text must be escaped',
}
