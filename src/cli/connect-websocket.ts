import { subscribe } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, WebSocket } from 'undici'
import type { Link, Sink } from './connect-link.ts'

const MAX_WAITING_BYTES = 1024 * 1024
const LOOK_EVERY_MS = 10
// How long the peer has to answer the close.
const CLOSE_WAIT_MS = 1000
// What a line of hex shows of a binary message.
const HEX_BYTES = 32
const SWITCHING_PROTOCOLS = 101
const NORMAL_CLOSURE = 1000
const NO_STATUS = 1005

/** A WebSocket: each line is one text message. */
export async function openWebSocket(url: string, sink: Sink): Promise<Link> {
  const agent = new Agent()
  // The standard's error event says nothing of why.
  let reason: Error | undefined
  agent.on('connectionError', (_origin, _targets, error) => (reason = error))
  subscribe('undici:request:headers', (message) => {
    const { statusCode } = (message as { response: { statusCode: number } }).response
    if (statusCode !== SWITCHING_PROTOCOLS) reason = new Error(`the server answers with status ${statusCode}, not with a WebSocket`)
  })
  const socket = new WebSocket(url, { dispatcher: agent })
  socket.binaryType = 'arraybuffer'
  const link = new WebSocketLink(socket, agent, sink)
  try {
    await Promise.race([new Promise((resolve) => socket.addEventListener('open', resolve)), link.closed])
  } catch (error) {
    await agent.destroy()
    throw reason ?? error
  }
  return link
}

class WebSocketLink implements Link {
  readonly closed: Promise<void>
  readonly #socket: WebSocket
  readonly #agent: Agent

  constructor(socket: WebSocket, agent: Agent, sink: Sink) {
    this.#socket = socket
    this.#agent = agent
    this.closed = new Promise((resolve, reject) => {
      socket.addEventListener('error', ({ error }) => reject(error instanceof Error && error.message !== '' ? error : new Error('the connection was lost')))
      socket.addEventListener('close', ({ code, reason }) => {
        if (code === NORMAL_CLOSURE || code === NO_STATUS) resolve()
        else reject(new Error(`the peer closed with code ${code}${reason === '' ? '' : `: ${reason}`}`))
      })
    })
    socket.addEventListener('message', ({ data }: { data: string | ArrayBuffer }) => {
      if (typeof data === 'string') sink.takeMessage(Buffer.from(data))
      else if (sink.isTerminal) sink.takeMessage(Buffer.from(hexLine(Buffer.from(data))))
      else sink.take(Buffer.from(data))
    })
  }

  async send(message: Buffer): Promise<void> {
    this.#socket.send(message.toString())
    await this.#untilSent(MAX_WAITING_BYTES)
  }

  async finish(): Promise<void> {
    await this.#untilSent(0)
  }

  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close(NORMAL_CLOSURE)
    const patience = new AbortController()
    // How the peer answers the close is no failure of what was said before.
    await Promise.race([this.closed.catch(() => {}), sleep(CLOSE_WAIT_MS, undefined, { signal: patience.signal }).catch(() => {})])
    patience.abort()
    await this.#agent.destroy()
  }

  /** The standard's WebSocket has no event for this. */
  async #untilSent(bytes: number): Promise<void> {
    while (this.#socket.readyState === WebSocket.OPEN && this.#socket.bufferedAmount > bytes) await sleep(LOOK_EVERY_MS)
  }
}

function hexLine(bytes: Buffer): string {
  const more = bytes.length > HEX_BYTES ? ' …' : ''
  return `<${bytes.length} bytes: ${bytes
    .subarray(0, HEX_BYTES)
    .toString('hex')
    .replace(/(..)(?=.)/g, '$1 ')}${more}>`
}
