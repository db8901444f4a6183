import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT: string = fileURLToPath(new URL('../../', import.meta.url))

/** A fenced block of a page. */
export interface Block {
  /** `docs/handlers.md:53`, for the name of a test. */
  readonly place: string
  readonly file: string
  readonly language: string
  readonly text: string
}

/** Every page that users read, by its path in the repository. */
export function pages(): string[] {
  const top = readdirSync(ROOT).filter((file) => file.endsWith('.md'))
  const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.md'))
  return [...top, ...docs.map((file) => join('docs', file)), 'protocols/README.md']
}

export function blocksOf(file: string): Block[] {
  const blocks: Block[] = []
  let open: { indent: number; language: string; line: number; lines: string[] } | undefined
  for (const [index, line] of readFileSync(join(ROOT, file), 'utf8').split('\n').entries()) {
    const fence = /^( *)```(\w*)\s*$/.exec(line)
    if (open === undefined && fence !== null) open = { indent: (fence[1] ?? '').length, language: fence[2] ?? '', line: index + 1, lines: [] }
    else if (open !== undefined && fence !== null) {
      blocks.push({ place: `${file}:${open.line}`, file, language: open.language, text: open.lines.join('\n') })
      open = undefined
    } else open?.lines.push(line.slice(open.indent))
  }
  return blocks
}

/** All blocks of one language, over all pages. */
export function blocks(language: string): Block[] {
  return pages()
    .flatMap(blocksOf)
    .filter((block) => block.language === language)
}

/** The block of a page that holds `words`. */
export function blockWith(file: string, words: string): string {
  const block = blocksOf(file).find(({ text }) => text.includes(words))
  if (block === undefined) throw new Error(`${file} has no block with ${words}`)
  return block.text
}
