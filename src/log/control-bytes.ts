// C0, DEL and C1 (U+009B starts a terminal sequence), and Unicode's two line ends.
const CONTROL = /[\p{Cc}\u2028\u2029]/gu
const CONTROL_BUT_NEWLINE = /(?!\n)[\p{Cc}\u2028\u2029]/gu

/** A text as one line: what a client sent must not move a terminal's cursor or forge a line. */
export function escapeText(text: string): string {
  return text.replace(CONTROL, escapeCharacter)
}

/** The same for a text whose line ends are meant: a stack, or a line of JSON, in which this does not change the meaning. */
export function escapeLines(text: string): string {
  return text.replace(CONTROL_BUT_NEWLINE, escapeCharacter)
}

function escapeCharacter(character: string): string {
  return NAMED[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }
