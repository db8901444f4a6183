import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'

/** A request of HTTP/2 whose body is counted as it comes. */
export interface BoundedStreamRequest extends Http2ServerRequest {
  /** No more of the body comes: whoever reads it gets an error, as from a client that has left. */
  breakOff(): void
}

export interface MeasuredStreamResponse extends Http2ServerResponse {
  startedAt: number
}

export interface MessageClasses {
  readonly Http2ServerRequest: typeof Http2ServerRequest
  readonly Http2ServerResponse: typeof Http2ServerResponse
}

/**
 * The classes of requests and responses for `http2.createServer`.
 * @param onTooLong called once for a request whose body grows past `maxBytes`, before the byte too many is handed on
 */
export function messageClasses(maxBytes: number, onTooLong: (request: BoundedStreamRequest) => void): MessageClasses {
  const http2 = process.getBuiltinModule('node:http2')
  const { NGHTTP2_INTERNAL_ERROR } = http2.constants

  class StreamRequest extends http2.Http2ServerRequest implements BoundedStreamRequest {
    #bytes = 0
    #isBrokenOff = false

    constructor(...parts: ConstructorParameters<typeof Http2ServerRequest>) {
      super(...parts)
      // Node would end the body as if it were whole.
      this.on('aborted', () => this.breakOff())
    }

    override push(chunk: unknown, encoding?: BufferEncoding): boolean {
      if (this.#isBrokenOff) return true
      if (chunk !== null) {
        this.#bytes += (chunk as Buffer).length
        if (this.#bytes > maxBytes) {
          onTooLong(this)
          return true
        }
      }
      return super.push(chunk, encoding)
    }

    breakOff(): void {
      if (this.#isBrokenOff || this.readableEnded) return
      this.#isBrokenOff = true
      // As node:http: an error that nobody listens for ends nothing.
      const error = Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
      this.destroy(this.listenerCount('error') > 0 ? error : undefined)
    }
  }

  class StreamResponse extends http2.Http2ServerResponse implements MeasuredStreamResponse {
    startedAt = 0

    /** Node would close the stream without an error: the client would take what it has for the whole. */
    override destroy(): this {
      this.stream.close(NGHTTP2_INTERNAL_ERROR)
      return this
    }
  }

  return { Http2ServerRequest: StreamRequest, Http2ServerResponse: StreamResponse as unknown as typeof Http2ServerResponse }
}
