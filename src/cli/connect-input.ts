const NEWLINE = 0x0a
const RETURN = 0x0d

/**
 * The messages of an input: its lines, each without its line end and with `eof` instead. The last line need not be ended.
 * @param eof undefined hands on the bytes as they come, for protocols that are not lines
 */
export async function* messagesOf(input: AsyncIterable<Buffer>, eof: Buffer | undefined): AsyncGenerator<Buffer> {
  if (eof === undefined) {
    yield* input
    return
  }
  // Parts of the line that is not yet whole: joined once, so that a long line is linear work.
  let parts: Buffer[] = []
  for await (const chunk of input) {
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      yield Buffer.concat([lineOf([...parts, chunk.subarray(from, at)]), eof])
      parts = []
      from = at + 1
    }
    if (from < chunk.length) parts.push(chunk.subarray(from))
  }
  if (parts.length > 0) yield Buffer.concat([lineOf(parts), eof])
}

function lineOf(parts: readonly Buffer[]): Buffer {
  const line = Buffer.concat(parts)
  return line.at(-1) === RETURN ? line.subarray(0, -1) : line
}
