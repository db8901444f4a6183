const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' }

/**
 * The bytes of an end mark. Escapes that are written out are understood: `\r \n \t \0 \\ \xHH`.
 * @throws SyntaxError on any other escape
 */
export function parseEof(text: string): Buffer {
  const plain = text.replace(/\\(x([0-9a-fA-F]{2})|[^x]|x|$)/g, (sequence, what: string, hex: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
    const character = ESCAPES[what]
    if (character === undefined) throw new SyntaxError(`unknown escape "${sequence}": expected \\r, \\n, \\t, \\0, \\\\ or \\xHH`)
    return character
  })
  // Characters up to U+00FF are bytes, as \xHH means them; others leave as UTF-8.
  return /^[\0-\xff]*$/.test(plain) ? Buffer.from(plain, 'latin1') : Buffer.from(plain)
}
