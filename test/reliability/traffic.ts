import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { WebSocket } from 'ws'

/** What the clients of a daemon saw. All of it must be empty or as counted. */
export class Traffic {
  /** Connections that ended. */
  closed = 0
  /** What came out of order, twice or not at all, as sentences. */
  readonly wrong: string[] = []
  numEchoed = 0
  numPublished = 0
  /** Publications that all members together have had. */
  numReceived = 0
  numRequests = 0
  numFresh = 0
  /** Requests and new connections that failed, as sentences. */
  readonly failed: string[] = []
  readonly #members: Member[] = []
  readonly #loops: Promise<void>[] = []
  readonly #agents: http.Agent[] = []
  #isStopping = false

  /** Opens `count` connections of each kind that echo and listen to publications, all the time. */
  async open(ports: { tcp: net.TcpNetConnectOpts; ws: net.TcpNetConnectOpts }, count: number): Promise<void> {
    for (let i = 0; i < count; i++) this.#members.push(new TcpMember(this, ports.tcp), new WebSocketMember(this, ports.ws))
    await Promise.all(this.#members.map((member) => member.opened))
    for (const member of this.#members) this.#loops.push(this.#echo(member))
  }

  /** Publishes over a connection of its own. */
  async publish(port: net.TcpNetConnectOpts): Promise<void> {
    const publisher = net.connect(port)
    publisher.on('error', () => {})
    publisher.on('close', () => this.#isStopping || this.failed.push('the publisher was closed'))
    publisher.resume()
    await once(publisher, 'connect')
    this.#loops.push(
      this.#repeat(async () => {
        publisher.write(`publish P${++this.numPublished}\r\n`)
        await pause(5)
      }),
    )
  }

  /** Asks over HTTP: one kept connection, and a new one each time; and opens new TCP connections. */
  ask(ports: { tcp: net.TcpNetConnectOpts; http: net.TcpNetConnectOpts }): void {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    for (const [name, options] of Object.entries({ kept: { agent }, fresh: { agent: false as const } })) {
      this.#loops.push(
        this.#repeat(async () => {
          const error = await request({ ...ports.http, ...options })
          if (error === undefined) this.numRequests++
          else this.failed.push(`${name} http: ${error}`)
          await pause(3)
        }),
      )
    }
    this.#loops.push(
      this.#repeat(async () => {
        const error = await greet(ports.tcp)
        if (error === undefined) this.numFresh++
        else this.failed.push(`fresh tcp: ${error}`)
        await pause(3)
      }),
    )
    this.#agents.push(agent)
  }

  /** Ends all questions, waits for what is still to come, and compares. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#loops)
    for (const agent of this.#agents) agent.destroy()
    const end = performance.now() + 10_000
    while (performance.now() < end && this.#members.some((member) => member.published < this.numPublished)) await pause(20)
    for (const member of this.#members) {
      if (member.published !== this.numPublished) this.wrong.push(`${member.name} has had ${member.published} of ${this.numPublished} publications`)
      member.end()
    }
    this.numReceived = this.#members.reduce((sum, member) => sum + member.published, 0)
  }

  get isStopping(): boolean {
    return this.#isStopping
  }

  async #echo(member: Member): Promise<void> {
    let n = 0
    await this.#repeat(async () => {
      if (!(await member.ask(++n))) this.wrong.push(`${member.name} had no answer to ${n} in time`)
      else this.numEchoed++
      await pause(10 * Math.random())
    })
  }

  async #repeat(work: () => Promise<void>): Promise<void> {
    while (!this.#isStopping && this.wrong.length < 20) await work()
  }
}

/** A member of the group that echoes. */
abstract class Member {
  abstract readonly name: string
  abstract readonly opened: Promise<unknown>
  /** Publications that have come. */
  published = 0
  protected readonly traffic: Traffic
  #waiting: { text: string; resolve: (isThere: boolean) => void } | undefined
  readonly #id = Math.random().toString(36).slice(2)

  constructor(traffic: Traffic) {
    this.traffic = traffic
  }

  /** Sends one message, its bytes now and then in two halves. */
  abstract send(text: string): void
  abstract end(): void

  ask(n: number): Promise<boolean> {
    const text = `${this.#id} ${n} ${'x'.repeat(Math.floor(Math.random() * 200))}`
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), 8000)
      this.#waiting = {
        text,
        resolve: (isThere) => {
          clearTimeout(timer)
          resolve(isThere)
        },
      }
      this.send(text)
    })
  }

  protected receive(text: string): void {
    if (text.startsWith('P')) {
      const n = Number(text.slice(1))
      if (n !== this.published + 1) this.traffic.wrong.push(`${this.name} had publication ${n} behind ${this.published}`)
      this.published = n
    } else if (this.#waiting?.text === text) {
      const { resolve } = this.#waiting
      this.#waiting = undefined
      resolve(true)
    } else this.traffic.wrong.push(`${this.name} had ${JSON.stringify(text.slice(0, 60))}`)
  }

  protected closed(): void {
    if (this.traffic.isStopping) return
    this.traffic.closed++
    this.#waiting?.resolve(false)
  }
}

class TcpMember extends Member {
  readonly name = 'tcp'
  readonly opened: Promise<unknown>
  readonly #socket: net.Socket
  #rest = ''

  constructor(traffic: Traffic, port: net.TcpNetConnectOpts) {
    super(traffic)
    this.#socket = net.connect(port).setNoDelay(true)
    this.opened = once(this.#socket, 'connect')
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => this.closed())
    this.#socket.on('data', (chunk: Buffer) => {
      const lines = (this.#rest + chunk.toString('latin1')).split('\r\n')
      this.#rest = lines.pop() ?? ''
      for (const line of lines) this.receive(line)
    })
  }

  send(text: string): void {
    sendCut(this.#socket, Buffer.from(`${text}\r\n`))
  }

  end(): void {
    this.#socket.destroy()
  }
}

class WebSocketMember extends Member {
  readonly name = 'websocket'
  readonly opened: Promise<unknown>
  readonly #webSocket: WebSocket

  constructor(traffic: Traffic, port: net.TcpNetConnectOpts) {
    super(traffic)
    this.#webSocket = new WebSocket(`ws://${port.host}:${port.port}/`)
    this.opened = once(this.#webSocket, 'open')
    this.#webSocket.on('error', () => {})
    this.#webSocket.on('close', () => this.closed())
    this.#webSocket.on('message', (data) => this.receive(String(data)))
  }

  send(text: string): void {
    const half = Math.floor(text.length / 2)
    // In two fragments now and then, and each cut where it may be.
    const socket = (this.#webSocket as unknown as { _socket: net.Socket })._socket
    const { write } = socket
    const bytes: Buffer[] = []
    socket.write = ((chunk: Buffer) => bytes.push(Buffer.from(chunk)) > 0) as typeof socket.write
    if (Math.random() < 0.5) {
      this.#webSocket.send(text.slice(0, half), { fin: false })
      this.#webSocket.send(text.slice(half), { fin: true })
    } else this.#webSocket.send(text)
    socket.write = write
    sendCut(socket, Buffer.concat(bytes))
  }

  end(): void {
    this.#webSocket.terminate()
  }
}

/** Sends bytes, most of the time in two pieces with a while between. */
function sendCut(socket: net.Socket, bytes: Buffer): void {
  const at = Math.floor(Math.random() * bytes.length)
  socket.write(bytes.subarray(0, at))
  setTimeout(() => socket.write(bytes.subarray(at)), 20 * Math.random())
}

function request(options: http.RequestOptions): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asked = http.get({ ...options, timeout: 5000 }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode === 200 ? undefined : `status ${response.statusCode}`))
      response.on('error', (error) => resolve(error.message))
    })
    asked.on('error', (error) => resolve(error.message))
    asked.on('timeout', () => asked.destroy(new Error('no answer')))
  })
}

function greet(port: net.TcpNetConnectOpts): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect({ ...port, timeout: 5000 })
    socket.write('hello\r\n')
    socket.once('data', () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.on('timeout', () => resolve('no answer'))
    socket.on('error', (error) => resolve(error.message))
    socket.on('close', () => resolve('closed without an answer'))
  })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
