import type { IncomingMessage, ServerResponse } from 'node:http'
import { HttpHandler } from 'polyport'

/** The files of `static` are served before this is asked; it answers the rest: who is here, on any port. */
export default class Web extends HttpHandler {
  override async onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url !== '/online') {
      // First what else it sends: if there is something wrong in it, that is the answer.
      await request.toArray()
      response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end('There is nothing here\n')
      return
    }
    const names: string[] = []
    for (const [key, { value }] of this.daemon.tables['ws']?.entries({ prefix: 'uid:' }) ?? []) {
      // A row outlives a worker that was killed; its connections do not.
      if (this.daemon.exists(Number(value))) names.push(key.slice('uid:'.length))
    }
    response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }).end(JSON.stringify(names))
  }
}
