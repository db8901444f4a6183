import type { Shape } from './check-shape.ts'
import type { Finding } from './finding.ts'
import { parseEof } from './parse-eof.ts'

const MAX_EOF_BYTES = 8
const FIELD_BYTES = { u8: 1, u16be: 2, u16le: 2, u32be: 4, u32le: 4 } as const

export function eofIsShort({ ports }: Shape): Finding[] {
  return ports.flatMap(({ path, value: { framing } }) => {
    if (framing?.type !== 'eof') return []
    const place = [...path, 'framing', 'eof']
    try {
      const { length } = parseEof(framing.eof)
      return length <= MAX_EOF_BYTES ? [] : [{ path: place, message: `the end mark has ${length} bytes, expected 1 to ${MAX_EOF_BYTES}` }]
    } catch (error) {
      return [{ path: place, message: error instanceof Error ? error.message : String(error) }]
    }
  })
}

export function framesHoldTheirHeader({ ports }: Shape): Finding[] {
  return ports.flatMap(({ path, value: { framing } }) => {
    if (framing?.type !== 'length') return []
    const size = FIELD_BYTES[framing.field]
    const header = framing.offset + size
    const bodyOffset = framing.bodyOffset ?? header
    const longest = bodyOffset + 2 ** (8 * size) - 1
    if (longest < header) {
      const message = `the longest frame would have ${longest} bytes, less than the ${header} of its header: expected a larger bodyOffset, or a smaller offset`
      return [{ path: [...path, 'framing', 'bodyOffset'], message }]
    }
    // What comes before the length field, and between it and the counted bytes, is part of the message.
    const shortest = Math.max(header, bodyOffset) - size
    if (shortest <= framing.maxLength) return []
    return [
      { path: [...path, 'framing', 'maxLength'], message: `the shortest message has ${shortest} bytes, expected at least that, found ${framing.maxLength}` },
    ]
  })
}

export const framingRules: readonly ((shape: Shape) => Finding[])[] = [eofIsShort, framesHoldTheirHeader]
