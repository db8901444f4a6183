import { StringDecoder } from 'node:string_decoder'

// Longer ones are cut: somebody prints a file without line ends.
const MAX_LINE_LENGTH = 16 * 1024

/** Cuts what a program prints into lines. Empty ones are left out. */
export class LineSplitter {
  readonly #onLine: (line: string) => void
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  push(bytes: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#give(line)
    while (this.#rest.length > MAX_LINE_LENGTH) {
      this.#give(this.#rest.slice(0, MAX_LINE_LENGTH))
      this.#rest = this.#rest.slice(MAX_LINE_LENGTH)
    }
  }

  /** There is no more: what is left is a line, too. */
  flush(): void {
    this.#give(this.#rest + this.#decoder.end())
    this.#rest = ''
  }

  #give(line: string): void {
    const text = line.replace(/\r$/, '')
    for (let at = 0; at < text.length; at += MAX_LINE_LENGTH) this.#onLine(text.slice(at, at + MAX_LINE_LENGTH))
  }
}
