import type { OutgoingHttpHeader, ServerResponse } from 'node:http'

type Headers = Record<string, OutgoingHttpHeader | undefined> | readonly OutgoingHttpHeader[] | undefined
type WriteHead = (status: number, ...rest: unknown[]) => ServerResponse

/**
 * Calls `callback` once, when the head of a response is complete and has not left: also one that `end` makes by itself, which
 * Node does through `writeHead`, too. What `callback` sets is sent. Those added later are called first.
 */
export function beforeHead(response: ServerResponse, callback: () => void): void {
  const writeHead = response.writeHead.bind(response) as WriteHead
  let isDone = false
  response.writeHead = ((status: number, ...rest: unknown[]) => {
    // One that cannot be written throws, and there will be another.
    if (isDone || !Number.isInteger(status) || status < 100 || status > 999) return writeHead(status, ...rest)
    isDone = true
    const message = typeof rest[0] === 'string' ? rest[0] : undefined
    response.statusCode = status
    if (message !== undefined) response.statusMessage = message
    takeHeaders(response, (message === undefined ? rest[0] : rest[1]) as Headers)
    callback()
    return message === undefined ? writeHead(response.statusCode) : writeHead(response.statusCode, response.statusMessage)
  }) as ServerResponse['writeHead']
}

/** What `writeHead` is given takes the place of what was set before, as Node has it; a list may name a header several times. */
function takeHeaders(response: ServerResponse, headers: Headers): void {
  if (headers === undefined) return
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value)
    return
  }
  const pairs: unknown[][] = Array.isArray(headers[0]) ? headers : headers.flatMap((_, i) => (i % 2 === 0 ? [[headers[i], headers[i + 1]]] : []))
  for (const [name] of pairs) response.removeHeader(String(name))
  for (const [name, value] of pairs) response.appendHeader(String(name), value as string)
}
