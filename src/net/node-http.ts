/**
 * `node:http` without an import: an ES module that imports it reads all of its exports, and one of them, `WebSocket`, has Node load undici, tls and
 * http2. That was 45 ms of every start of a worker, and 4 MiB of its memory.
 */
const http: typeof import('node:http') = process.getBuiltinModule('node:http')

export const createServer: typeof http.createServer = http.createServer
export const request: typeof http.request = http.request
export const IncomingMessage: typeof http.IncomingMessage = http.IncomingMessage
export const ServerResponse: typeof http.ServerResponse = http.ServerResponse
export const STATUS_CODES: typeof http.STATUS_CODES = http.STATUS_CODES
