import { chmod } from 'node:fs/promises'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Logger } from '../contracts/logger.ts'
import { BindError } from '../errors.ts'
import { type Address, formatAddress } from '../net/address.ts'
import { bindError } from '../net/bind-error.ts'
import { createServer } from '../net/node-http.ts'
import { clearUnixPath } from '../net/unix-path.ts'
import { type Access, isLoopback, refuse } from './access.ts'
import { type AdminParts, type Answer, ROUTES, text } from './routes.ts'

// A scrape, a person and a health check need a handful.
const MAX_CONNECTIONS = 64
const HEADERS_TIMEOUT_MS = 5000
const REQUEST_TIMEOUT_MS = 10_000
// Also for an answer that does not come: a reload may take this long.
const IDLE_TIMEOUT_MS = 120_000
const STOP_WAIT_MS = 1000
const MAX_BODY_BYTES = 64 * 1024
const MAX_HEADER_BYTES = 16 * 1024
// libuv cuts a longer path without a word on some systems: sun_path of unix(7), less its final NUL.
const MAX_PATH_BYTES = 107

/** The admin port, or the control socket of a daemon: metrics, health, status and stop over HTTP, answered by the master. */
export class AdminServer {
  readonly #parts: AdminParts
  readonly #log: Logger
  readonly #token: string | undefined
  readonly #trusted: boolean
  #server: Server | undefined
  #address: string | undefined

  /** @param parts `trusted`: a unix socket whose mode 0600 is all the protection it needs, the control socket */
  constructor(parts: AdminParts & { readonly log: Logger; readonly token?: string | undefined; readonly trusted?: boolean | undefined }) {
    this.#parts = parts
    this.#log = parts.log
    this.#token = parts.token
    this.#trusted = parts.trusted ?? false
  }

  /** Where it listens: `127.0.0.1:5299` or a path; undefined while it does not. */
  get address(): string | undefined {
    return this.#address
  }

  /**
   * Opens the address; a unix socket gets mode 0600.
   * @throws BindError
   */
  async start(address: Address): Promise<void> {
    if (this.#server !== undefined) return
    const what = this.#trusted ? 'the control socket' : 'the admin port'
    if ('path' in address) {
      if (Buffer.byteLength(address.path) > MAX_PATH_BYTES)
        throw new BindError(`Cannot open ${what} on ${address.path}: the path is longer than ${MAX_PATH_BYTES} bytes`)
      await clearUnixPath(address.path, what)
    } else if (this.#trusted || (this.#token === undefined && !isLoopback(address.host))) {
      throw new BindError(`Cannot open ${what} on ${formatAddress(address)}: without admin.token it may listen on loopback only`)
    }
    const access: Access = { trusted: this.#trusted, token: this.#token, address }
    const server = createServer(OPTIONS, (request, response) => void this.#onRequest(access, request, response))
    server.maxConnections = MAX_CONNECTIONS
    server.setTimeout(IDLE_TIMEOUT_MS)
    try {
      await listen(server, address, what)
    } catch (error) {
      server.close()
      throw error
    }
    this.#server = server
    server.on('error', (error) => this.#log.error({ err: error }, `Error on ${what}`))
    this.#address = formatAddress('path' in address ? address : { host: address.host, port: boundPort(server) })
  }

  /** Answers what has been asked, for a second at most, and closes. */
  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    this.#address = undefined
    await new Promise<void>((resolve) => {
      const deadline = setTimeout(() => server.closeAllConnections(), STOP_WAIT_MS)
      server.close(() => {
        clearTimeout(deadline)
        resolve()
      })
    })
  }

  async #onRequest(access: Access, request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', ignoreGoneClient)
    response.on('error', ignoreGoneClient)
    const isTooLong = !takeBody(request)
    try {
      send(request, response, isTooLong ? text(413, `A body may have ${MAX_BODY_BYTES} bytes`) : await this.#answer(access, request, response))
    } catch (error) {
      this.#log.error({ err: error, path: pathOf(request) }, 'Admin request failed')
      send(request, response, text(500, 'This failed; the log says why'))
    }
  }

  #answer(access: Access, request: IncomingMessage, response: ServerResponse): Answer | Promise<Answer> {
    const route = ROUTES.get(pathOf(request))
    if (route?.isOpen !== true) {
      const { host, authorization } = request.headers
      const refusal = refuse(access, { host, authorization, changes: route?.method === 'POST' && request.method === 'POST' })
      if (refusal !== undefined) {
        if (refusal.status === 401) response.setHeader('WWW-Authenticate', 'Bearer realm="polyport"')
        return text(refusal.status, refusal.message)
      }
    }
    if (route === undefined) return text(404, 'There is nothing here; / lists what there is')
    if (request.method === route.method || (request.method === 'HEAD' && route.method === 'GET')) return route.answer(this.#parts, queryOf(request))
    response.setHeader('Allow', route.method === 'GET' ? 'GET, HEAD' : route.method)
    return text(405, `This answers ${route.method} only`)
  }
}

const OPTIONS = {
  maxHeaderSize: MAX_HEADER_BYTES,
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: 2000,
  keepAliveTimeout: 5000,
}

const SECURITY_HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
}

function listen(server: Server, address: Address, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(bindError(what, formatAddress(address), error.errno ?? -1)))
    if ('host' in address) {
      server.listen(address.port, address.host, resolve)
      return
    }
    // Nobody else may connect between bind(2) and chmod(2). listen() binds a path before it returns.
    const mask = process.umask(0o177)
    try {
      server.listen(address.path, () => void chmod(address.path, 0o600).then(resolve, reject))
    } finally {
      process.umask(mask)
    }
  })
}

function boundPort(server: Server): number {
  const bound = server.address()
  return typeof bound === 'object' && bound !== null ? bound.port : 0
}

/** Reads the body away, as nothing here needs one. Returns false when it says that it is too long; cuts one that grows too long. */
function takeBody(request: IncomingMessage): boolean {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return false
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) request.destroy()
  })
  return true
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, body, after }: Answer): void {
  if (response.destroyed) {
    after?.()
    return
  }
  // It comes also when the client goes before all has left.
  if (after !== undefined) response.once('close', after)
  // A body that is not read to its end would be taken for the next request.
  if (status === 413) response.shouldKeepAlive = false
  response.writeHead(status, { ...SECURITY_HEADERS, 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) })
  response.end(request.method === 'HEAD' ? undefined : body)
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0] ?? '/'
}

function queryOf(request: IncomingMessage): URLSearchParams {
  return new URLSearchParams((request.url ?? '').split('?')[1] ?? '')
}

function ignoreGoneClient(): void {
  // A client that goes away while it is answered is its own business; Node closes the socket.
}
