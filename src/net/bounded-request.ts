import type { IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'

/** A request whose body is counted as it comes, and which can be broken off while its connection lives on for the answer. */
export interface BoundedRequest extends IncomingMessage {
  /** No more of the body comes: whoever reads it gets the same error as from a client that has left. */
  breakOff(): void
}

/**
 * The class of requests for `http.createServer`.
 * @param onTooLong called once for a request whose body grows past `maxBytes`, before the byte too many is handed on
 */
export function boundedRequestClass(maxBytes: number, onTooLong: (request: BoundedRequest) => void): typeof IncomingMessage {
  const { IncomingMessage: Base } = createRequire(import.meta.url)('node:http') as typeof import('node:http')
  return class extends Base implements BoundedRequest {
    #bytes = 0
    #isBrokenOff = false

    override push(chunk: unknown, encoding?: BufferEncoding): boolean {
      if (chunk !== null) {
        if (this.#isBrokenOff) return true
        this.#bytes += (chunk as Buffer).length
        if (this.#bytes > maxBytes) {
          onTooLong(this)
          return true
        }
      } else if (this.#isBrokenOff) return true
      return super.push(chunk, encoding)
    }

    breakOff(): void {
      this.#isBrokenOff = true
      // To Node a request that is destroyed takes its connection along. To this one it has gone already.
      const { socket } = this
      this.socket = Object.create(socket, { destroyed: { value: true } })
      this.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }))
      this.socket = socket
    }
  }
}
