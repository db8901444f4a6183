import { parseEnv } from 'node:util'
import type { Problem } from '../errors.ts'

// The names that other readers of such files allow, too; a quote begins a value of one or more lines.
const ENTRY = /^[ \t]*(?:export[ \t]+)?[\w.-]+[ \t]*=[ \t]*(["'`]?)/
const NOTHING = /^\s*(?:#|$)/

/**
 * What a `.env` file gives. `parseEnv` passes over what it cannot read, so it gets only what it can; no problem repeats what a line says,
 * which may be a secret.
 */
export function readEnvFile(file: string, content: string): { values: NodeJS.Dict<string>; problems: Problem[] } {
  const text = content.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n')
  const entries: string[] = []
  const problems: Problem[] = []
  let line = 1
  for (let start = 0; start < text.length; ) {
    const { end, problem } = entryAt(text, start)
    const entry = text.slice(start, end + 1)
    if (problem !== undefined) problems.push({ file, path: '', message: problem, line })
    // With a blank behind it, an empty value becomes the line below: Node looks for it past the end of its own.
    else entries.push(entry.trimEnd())
    line += entry.split('\n').length - 1
    start = end + 1
  }
  return { values: parseEnv(entries.join('\n')), problems }
}

/** Where the entry ends that begins here, and what is wrong with it. */
function entryAt(text: string, start: number): { end: number; problem?: string } {
  const end = lineEnd(text, start)
  const line = text.slice(start, end)
  if (NOTHING.test(line)) return { end }
  const [head, quote] = ENTRY.exec(line) ?? []
  if (head === undefined) return { end, problem: 'this line says nothing: expected NAME=value, or "#" before a comment' }
  if (quote === undefined || quote === '') return { end }
  const closing = text.indexOf(quote, start + head.length)
  if (closing === -1) return { end, problem: 'the value has no closing quote' }
  const last = lineEnd(text, closing)
  if (NOTHING.test(text.slice(closing + 1, last))) return { end: last }
  return { end: last, problem: 'there is something behind the closing quote: expected the value in quotes that are not part of it' }
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from)
  return end === -1 ? text.length : end
}
