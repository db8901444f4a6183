import type { IncomingMessage, ServerResponse } from 'node:http'
import { HttpHandler } from 'polyport'

/** Says hello to GET and sends the body of a POST back: try `curl 127.0.0.1:5293`. */
export default class HelloHttp extends HttpHandler {
  override async onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'POST') {
      // All of it before the answer: `limits.bodyBytes` says how much that can be.
      const body = Buffer.concat(await request.toArray())
      response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'X-Content-Type-Options': 'nosniff', 'Content-Length': body.length }).end(body)
      return
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { Allow: 'GET, HEAD, POST' }).end()
      return
    }
    const isJson = request.headers.accept?.includes('application/json') === true
    const hello = { hello: this.daemon.name, port: this.port.name, method: request.method, path: request.url }
    const body = isJson ? JSON.stringify(hello) : `Hello from ${hello.hello}! ${hello.method} ${hello.path} on port ${hello.port}`
    response.writeHead(200, {
      'Content-Type': isJson ? 'application/json' : 'text/plain; charset=utf-8',
      'Content-Length': Buffer.byteLength(body) + 1,
      'X-Content-Type-Options': 'nosniff',
    })
    response.end(`${body}\n`)
  }
}
