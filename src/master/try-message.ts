import { parseEof } from '../config/parse-eof.ts'
import type { FramingConfig } from '../config/schema.ts'

/** A message of a port as `printf '…'` takes it; undefined where no simple client makes one. */
export function messageText(framing: FramingConfig): string | undefined {
  if (framing.type === 'eof') return `hi${octal(parseEof(framing.eof).toString('latin1'))}`
  if (framing.type !== 'length' || framing.offset !== 0) return undefined
  const bytes = Number(/\d+/.exec(framing.field)?.[0] ?? 8) / 8
  const { bodyOffset = bytes } = framing
  if (bodyOffset !== bytes && bodyOffset !== 0) return undefined
  const length = ['\\0'.repeat(bytes - 1), `\\${2 + bytes - bodyOffset}`]
  return `${(framing.field.endsWith('le') ? length.toReversed() : length).join('')}hi`
}

/** What a shell's quotes and the format of printf leave as it is. */
function octal(mark: string): string {
  return mark
    .replaceAll(/[^\x21-\x7e\r\n]|['\\%]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)
    .replaceAll('\r', '\\r')
    .replaceAll('\n', '\\n')
}
