import type { IncomingMessage, ServerResponse } from 'node:http'
import { HttpHandler } from 'polyport'

export default class Hello extends HttpHandler {
  override onRequest(_request: IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': 6 })
    response.end('hello\n')
  }
}
