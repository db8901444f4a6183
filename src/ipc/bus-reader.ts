import { LENGTH_BYTES } from './bus-link.ts'

/** Cuts what comes over one bus socket into messages. A long one is copied once or twice, however many reads it takes. */
export class BusReader {
  #chunks: Buffer[] = []
  #length = 0
  /** So many bytes, before there is anything to look at. */
  #needed = LENGTH_BYTES

  /** @param onMessage gets the bytes of each message that is whole; they are its own */
  push(chunk: Buffer, onMessage: (bytes: Buffer) => void): void {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    if (this.#length < this.#needed) return
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#length)
    const rest = bytes.subarray(this.#take(bytes, onMessage))
    this.#chunks = rest.length === 0 ? [] : [rest]
    this.#length = rest.length
  }

  /** Hands on every whole message and returns how many bytes they were. */
  #take(bytes: Buffer, onMessage: (bytes: Buffer) => void): number {
    let at = 0
    while (bytes.length - at >= LENGTH_BYTES) {
      const end = at + LENGTH_BYTES + bytes.readUInt32LE(at)
      if (end > bytes.length) {
        this.#needed = end - at
        return at
      }
      onMessage(bytes.subarray(at + LENGTH_BYTES, end))
      at = end
    }
    this.#needed = LENGTH_BYTES
    return at
  }
}
