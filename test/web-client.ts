import type { TestContext } from 'node:test'

/** A WebSocket client that keeps its messages. Closed when the test ends. */
export class WebClient {
  readonly socket: WebSocket
  readonly #messages: unknown[] = []
  #waiting: ((message: unknown) => void) | undefined

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.binaryType = 'arraybuffer'
    socket.addEventListener('message', ({ data }) => {
      if (this.#waiting === undefined) this.#messages.push(data)
      else this.#waiting(data)
      this.#waiting = undefined
    })
  }

  /** @throws when the upgrade is refused */
  static async open(t: TestContext, url: string): Promise<WebClient> {
    const socket = new WebSocket(url)
    t.after(() => socket.close())
    const client = new WebClient(socket)
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve())
      socket.addEventListener('error', () => reject(new Error(`Cannot open ${url}`)))
    })
    return client
  }

  /** The next message that has not been asked for. */
  next(): Promise<unknown> {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift())
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('No message came')), 20_000)
      this.#waiting = (message) => {
        clearTimeout(timer)
        resolve(message)
      }
    })
  }
}
