import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { CompressionConfig } from '../config/compression-schema.ts'
import type { RequestStep } from '../net/http-requests.ts'
import { beforeHead } from './before-head.ts'

/** Compresses responses by what the client accepts: brotli before gzip before deflate. */
export function compressionStep({ threshold, level, quality }: CompressionConfig): RequestStep {
  const compress = load()({
    threshold,
    level,
    brotli: { params: { [process.getBuiltinModule('node:zlib').constants.BROTLI_PARAM_QUALITY]: quality } },
    filter: isWorthIt,
  })
  return (request, response, next) => {
    beforeHead(response, () => weakenTag(response))
    compress(request as never, response as never, () => {
      keepCallbacks(response)
      next()
    })
  }
}

/** Where it is asked for: its list of media types would cost every start of a worker. */
function load(): typeof import('compression') {
  loaded ??= createRequire(import.meta.url)('compression') as typeof import('compression')
  return loaded
}

let loaded: typeof import('compression') | undefined

type Callback = (error?: Error | null) => void

/** The package drops the callbacks of `write` and `end`. What waits for one would wait for ever. */
function keepCallbacks(response: ServerResponse): void {
  const write = response.write.bind(response) as (chunk: unknown, encoding?: unknown) => boolean
  const end = response.end.bind(response) as (chunk?: unknown, encoding?: unknown) => unknown
  response.write = ((chunk: unknown, ...rest: (string | Callback | undefined)[]) => {
    const callback = rest.find((one) => typeof one === 'function')
    const isFree = write(chunk, encodingOf(rest))
    if (callback !== undefined) setImmediate(callback)
    return isFree
  }) as ServerResponse['write']
  response.end = ((...all: unknown[]) => {
    const callback = all.find((one) => typeof one === 'function')
    if (callback !== undefined) response.once('finish', callback as () => void)
    const [chunk, ...rest] = typeof all[0] === 'function' ? [] : all
    end(chunk, encodingOf(rest))
    return response
  }) as ServerResponse['end']
}

function encodingOf(rest: readonly unknown[]): string | undefined {
  return typeof rest[0] === 'string' ? rest[0] : undefined
}

const wasPlain = new WeakSet<ServerResponse>()

// What has no body has no encoding.
const EMPTY = new Set([101, 204, 205, 304])

/** Asked when the head is complete. */
function isWorthIt(request: IncomingMessage, response: ServerResponse): boolean {
  if (response.hasHeader('Content-Encoding') || EMPTY.has(response.statusCode)) return false
  // A range is of the bytes as they are, and an event has to leave when it happens, not when a block is full.
  if (response.statusCode === 206 || response.hasHeader('Content-Range')) return false
  if (/^text\/event-stream\b/i.test(String(response.getHeader('Content-Type')))) return false
  wasPlain.add(response)
  return load().filter(request as never, response as never)
}

/** The same bytes in another form are not the same bytes (RFC 9110, section 8.8.1): the entity tag must not say so. */
function weakenTag(response: ServerResponse): void {
  const tag = response.getHeader('ETag')
  if (typeof tag === 'string' && tag.startsWith('"') && wasPlain.has(response) && response.hasHeader('Content-Encoding')) response.setHeader('ETag', `W/${tag}`)
}
