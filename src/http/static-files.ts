import type { ReadStream, Stats } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { join, sep } from 'node:path'
import type { RequestStep } from '../net/http-requests.ts'
import { accessSync, constants, createReadStream, existsSync, realpathSync, statSync } from '../node-fs.ts'
import { type ByteRange, byteRange } from './byte-range.ts'

/**
 * The files of a folder, by GET and HEAD; everything else is the handler's. sirv finds a file and sends it whole; what it
 * lacks is done here: ranges, conditions, and ends of streams.
 */
export function staticStep(folder: string): RequestStep {
  const sirv = createRequire(import.meta.url)('sirv') as typeof import('sirv').default
  // Looked for at each request: files come and go without a reload.
  const serve = sirv(folder, { dev: true, setHeaders: (response, path, stats) => beforeSending(folder, response, path, stats) })

  return (request, response, next) => {
    if ((request.method !== 'GET' && request.method !== 'HEAD') || !isServed(request.url ?? '')) return next()
    try {
      serve(request, response, next)
    } catch (error) {
      if (error === NOT_SERVED) next()
      else if (error !== ANSWERED) throw error
    }
  }
}

// Thrown through sirv, which has no other way to be stopped.
const NOT_SERVED = new Error('Not served')
const ANSWERED = new Error('Answered')

/** A name that begins with a dot is nobody's business, nor is the folder above; RFC 8615 makes one exception. */
function isServed(url: string): boolean {
  const path = decoded(/^[^?#]*/.exec(url)?.[0] ?? '')
  if (path === undefined || path.includes('\0') || path.includes('\\')) return false
  const parts = path.split('/').slice(1)
  return parts.every((part, i) => !part.startsWith('.') || (i === 0 && part === '.well-known'))
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

/** sirv has found a file. */
function beforeSending(folder: string, response: ServerResponse, path: string, stats: Stats): void {
  const file = fileOf(folder, path, stats)
  if (file === undefined) throw NOT_SERVED
  const request = response.req
  if (file.isIndex && !path.endsWith('/')) {
    response.writeHead(301, { Location: withSlash(request.url ?? ''), 'Content-Length': 0 }).end()
    throw ANSWERED
  }
  const tag = `W/"${stats.size}-${stats.mtime.getTime()}"`
  response.setHeader('ETag', tag)
  // To be kept, and to be asked for anew each time: most often that is answered with 304.
  response.setHeader('Cache-Control', 'no-cache')
  response.setHeader('Accept-Ranges', 'bytes')
  if (isUnchanged(request, tag, stats)) {
    response.writeHead(304).end()
    throw ANSWERED
  }
  const { range } = request.headers
  // sirv takes `bytes=-5` for the first bytes, and `bytes=0-0` for all of them: it is not to see the header.
  delete request.headers.range
  const wanted = range === undefined || request.method === 'HEAD' || !isSameAsBefore(request, stats) ? undefined : byteRange(range, stats.size)
  if (wanted === null) {
    response.writeHead(416, { 'Content-Range': `bytes */${stats.size}` }).end()
    throw ANSWERED
  }
  correctHead(response, wanted, stats.size)
  response.once('pipe', (source) => send(response, file.real, source as ReadStream, { range: wanted, size: stats.size }))
}

/** The page of a folder is at an address that ends with a slash: its own links are relative to that. */
function withSlash(url: string): string {
  const [, name = '', query = ''] = /([^/?#]*)(\?[^#]*)?(?:#.*)?$/.exec(url) ?? []
  // Relative, as nothing that stands before it is to be taken for a host.
  return `./${name}/${query}`
}

/** The file that sirv has found, when it is one, and is in the folder also if links are followed. */
function fileOf(folder: string, path: string, { dev, ino }: Stats): { real: string; isIndex: boolean } | undefined {
  const name = path.endsWith('/') ? path.slice(0, -1) : path
  for (const candidate of [name, `${name}/index`, `${name}.html`, `${name}/index.html`, `${name}.htm`, `${name}/index.htm`]) {
    const file = join(folder, candidate)
    if (!existsSync(file)) continue
    const stats = statSync(file)
    if (stats.dev !== dev || stats.ino !== ino) continue
    const real = realpathSync(file)
    if (!stats.isFile() || !real.startsWith(realpathSync(folder) + sep) || !isReadable(real)) return undefined
    return { real, isIndex: candidate.startsWith(`${name}/index`) }
  }
  return undefined
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return true
  } catch {
    return false
  }
}

function isUnchanged({ headers }: IncomingMessage, tag: string, stats: Stats): boolean {
  const tags = headers['if-none-match']
  if (tags !== undefined) return tags.trim() === '*' || tags.split(',').some((one) => one.trim() === tag || `W/${one.trim()}` === tag)
  const since = Date.parse(headers['if-modified-since'] ?? '')
  return Math.floor(stats.mtimeMs / 1000) * 1000 <= since
}

/** Whether a client that has a part may get another part (RFC 9110, section 13.1.5). Our entity tags are weak, so only the date counts. */
function isSameAsBefore({ headers }: IncomingMessage, stats: Stats): boolean {
  const before = headers['if-range']
  return before === undefined || before === stats.mtime.toUTCString()
}

/** sirv writes the head of a whole file, with an empty type where it does not know one, and names the charset of HTML alone. */
function correctHead(response: ServerResponse, range: ByteRange | undefined, size: number): void {
  const { writeHead } = response
  response.writeHead = ((status: number, headers: Record<string, string | number>) => {
    response.writeHead = writeHead
    const whole = { ...headers, 'Content-Type': typeFrom(String(headers['Content-Type'] ?? '')) }
    if (range === undefined) return response.writeHead(status, whole)
    const { start, end } = range
    return response.writeHead(206, { ...whole, 'Content-Range': `bytes ${start}-${end}/${size}`, 'Content-Length': end - start + 1 })
  }) as ServerResponse['writeHead']
}

function typeFrom(type: string): string {
  if (type === '') return 'application/octet-stream'
  return type.startsWith('text/') && !type.includes('charset') ? `${type};charset=utf-8` : type
}

/**
 * sirv pipes the whole file, and leaves it open when the client goes, or ends the process when it cannot be read. What has left as its length
 * holds: more bytes than that, or fewer, and the next response of the connection would be taken for a part of this one.
 */
function send(response: ServerResponse, file: string, whole: ReadStream, { range, size }: { range: ByteRange | undefined; size: number }): void {
  const isWhole = range === undefined && response.req.method !== 'HEAD'
  if (!isWhole) {
    whole.unpipe(response)
    whole.on('error', () => {}).destroy()
    if (range === undefined) return void response.end()
  }
  const source = isWhole ? upTo(whole, size) : createReadStream(file, range)
  const numBytes = range === undefined ? size : range.end - range.start + 1
  // Before the pipe ends the response.
  source.prependOnceListener('end', () => {
    if (source.bytesRead < numBytes) response.destroy()
  })
  source.on('error', () => response.destroy())
  response.once('close', () => source.destroy())
  if (!isWhole) source.pipe(response)
}

/** The option of `createReadStream`, set later: sirv has opened it for all that is there, and a file may grow. */
function upTo(stream: ReadStream, size: number): ReadStream {
  return Object.assign(stream, { end: size - 1 })
}
