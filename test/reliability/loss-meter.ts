import http from 'node:http'
import net from 'node:net'
import { WebSocket } from 'ws'

// Longer than any answer takes; what has none by then hangs.
const ANSWER_MS = 3000

type Outcome = 'answered' | 'ended' | 'hung'

/** One persistent connection that asks, waits for the answer and asks again. */
interface Asker {
  /** The worker at the other end, as its first answer says. */
  slot: number
  numAnswered: number
  ask(): Promise<Outcome>
  destroy(): void
}

/** What clients of one daemon lost. */
export class LossMeter {
  numAnswered = 0
  /** By the worker that a connection was with. */
  readonly lost = new Map<number, number>()
  /** Questions that were neither answered nor refused. */
  hung = 0
  /** Fresh connections that were reset: the worker that had accepted them died. */
  numReset = 0
  #isStopping = false
  readonly #loops: Promise<void>[] = []

  /** Keeps `count` persistent connections of each kind busy, and `count` clients that connect anew for each question. */
  start(ports: { tcp: net.TcpNetConnectOpts; http: net.TcpNetConnectOpts; ws: net.TcpNetConnectOpts }, count: number): void {
    for (let i = 0; i < count; i++) {
      this.#loops.push(this.#persist(() => tcpAsker(ports.tcp)))
      this.#loops.push(this.#persist(() => httpAsker(ports.http, true)))
      this.#loops.push(this.#persist(() => webSocketAsker(ports.ws)))
      this.#loops.push(this.#fresh(() => tcpAsker(ports.tcp)))
      this.#loops.push(this.#fresh(() => httpAsker(ports.http, false)))
    }
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#loops)
  }

  get numLost(): number {
    return [...this.lost.values()].reduce((sum, count) => sum + count, 0)
  }

  async #persist(open: () => Asker): Promise<void> {
    let asker = open()
    while (!this.#isStopping) {
      const outcome = await asker.ask()
      if (outcome === 'answered') {
        this.numAnswered++
        await pause()
        continue
      }
      // A connection that was never answered has met no worker that could have lost it.
      if (outcome === 'ended' && asker.numAnswered > 0) this.lost.set(asker.slot, (this.lost.get(asker.slot) ?? 0) + 1)
      else if (outcome === 'ended') this.numReset++
      else this.hung++
      asker.destroy()
      asker = open()
    }
    asker.destroy()
  }

  async #fresh(open: () => Asker): Promise<void> {
    while (!this.#isStopping) {
      const asker = open()
      const outcome = await asker.ask()
      if (outcome === 'answered') this.numAnswered++
      else if (outcome === 'ended') this.numReset++
      else this.hung++
      asker.destroy()
      await pause()
    }
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10))
}

/** Asks once by `send`, and settles with the first of: an answer, the end, or the time. */
function question(asker: Asker, parts: { send: () => void; onSettled: (settle: (outcome: Outcome) => void) => void }): Promise<Outcome> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('hung'), ANSWER_MS)
    parts.onSettled((outcome) => {
      clearTimeout(timer)
      if (outcome === 'answered') asker.numAnswered++
      resolve(outcome)
    })
    parts.send()
  })
}

function tcpAsker(where: net.TcpNetConnectOpts): Asker {
  const socket = net.connect(where)
  let settle: (outcome: Outcome) => void = () => {}
  let isOver = false
  let text = ''
  socket.on('error', () => {})
  socket.on('data', (bytes) => {
    text += bytes
    if (!text.endsWith('\r\n')) return
    asker.slot = Number(text)
    text = ''
    settle('answered')
  })
  socket.on('close', () => {
    isOver = true
    settle('ended')
  })
  const asker: Asker = {
    slot: -1,
    numAnswered: 0,
    ask: () =>
      question(asker, {
        send: () => (isOver ? settle('ended') : socket.write('who\r\n')),
        onSettled: (given) => {
          settle = given
        },
      }),
    destroy: () => socket.destroy(),
  }
  return asker
}

function webSocketAsker(where: net.TcpNetConnectOpts): Asker {
  const socket = new WebSocket(`ws://${where.host}:${where.port}`)
  let settle: (outcome: Outcome) => void = () => {}
  let isOver = false
  socket.on('error', () => {})
  socket.on('message', (data) => {
    asker.slot = Number(data)
    settle('answered')
  })
  socket.on('close', () => {
    isOver = true
    settle('ended')
  })
  const asker: Asker = {
    slot: -1,
    numAnswered: 0,
    ask: () =>
      question(asker, {
        send: () => {
          if (isOver) settle('ended')
          else if (socket.readyState === WebSocket.OPEN) socket.send('who')
          else socket.once('open', () => socket.send('who'))
        },
        onSettled: (given) => {
          settle = given
        },
      }),
    destroy: () => socket.terminate(),
  }
  return asker
}

function httpAsker(where: net.TcpNetConnectOpts, keepAlive: boolean): Asker {
  const agent = new http.Agent({ keepAlive, maxSockets: 1 })
  let socket: net.Socket | undefined
  const asker: Asker = {
    slot: -1,
    numAnswered: 0,
    ask: () => {
      let settle: (outcome: Outcome) => void = () => {}
      return question(asker, {
        send: () => {
          // Between two questions the connection ended: an agent would silently open another.
          if (socket?.destroyed === true) return settle('ended')
          const request = http.get({ host: where.host, port: where.port, agent }, (response) => {
            let text = ''
            response.on('data', (bytes) => {
              text += bytes
            })
            response.on('end', () => {
              asker.slot = Number(text)
              settle('answered')
            })
            response.on('error', () => settle('ended'))
          })
          request.on('socket', (given) => {
            socket = given
          })
          request.on('error', () => settle('ended'))
        },
        onSettled: (given) => {
          settle = given
        },
      })
    },
    destroy: () => agent.destroy(),
  }
  return asker
}
