import { once } from 'node:events'
import net from 'node:net'

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d])

export interface FrameOptions {
  readonly fin?: boolean
  /** The reserved bits, 0 to 7. */
  readonly rsv?: number
  readonly isMasked?: boolean
  /** Claims another length, in 64 bits. */
  readonly claimed?: bigint
}

/** A frame as a client sends it. */
export function frame(opcode: number, content: string | Buffer = '', { fin = true, rsv = 0, isMasked = true, claimed }: FrameOptions = {}): Buffer {
  const payload = Buffer.from(content as string)
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode]
  const mask = isMasked ? 0x80 : 0
  let length = Buffer.alloc(0)
  if (claimed !== undefined || payload.length > 0xffff) {
    head.push(mask | 127)
    length = Buffer.alloc(8)
    length.writeBigUInt64BE(claimed ?? BigInt(payload.length))
  } else if (payload.length > 125) {
    head.push(mask | 126)
    length = Buffer.from([payload.length >> 8, payload.length & 255])
  } else head.push(mask | payload.length)
  if (!isMasked) return Buffer.concat([Buffer.from(head), length, payload])
  return Buffer.concat([Buffer.from(head), length, MASK, payload.map((byte, i) => byte ^ Number(MASK[i % 4]))])
}

export function closeFrame(code: number, reason: string | Buffer = ''): Buffer {
  return frame(8, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason as string)]))
}

export interface ServerFrame {
  readonly opcode: number
  readonly rsv: number
  readonly payload: Buffer
}

export function handshake(path: string, fields: Readonly<Record<string, string | null>> = {}): string {
  const all: Record<string, string | null> = {
    Host: 'a.example',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...fields,
  }
  const lines = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}\r\n`]))
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** A WebSocket client on a raw socket, that sends what it likes. */
export class RawWebSocket {
  readonly socket: net.Socket
  readonly frames: ServerFrame[] = []
  head = ''
  #bytes = Buffer.alloc(0)
  #wake: () => void = () => {}

  private constructor(socket: net.Socket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('close', () => this.#wake())
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      this.#parse()
      this.#wake()
    })
  }

  /** Sends a handshake, and frames in the same segment, and waits for the head of the answer. */
  static async open(port: number, text: string, frames: readonly Buffer[] = []): Promise<RawWebSocket> {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const client = new RawWebSocket(socket)
    socket.write(Buffer.concat([Buffer.from(text, 'latin1'), ...frames]))
    await client.until(() => client.head !== '')
    return client
  }

  get status(): number {
    return Number(this.head.slice(9, 12))
  }

  /** The code of the server's close frame; 0 when there is none. */
  get closeCode(): number {
    const closing = this.frames.find(({ opcode }) => opcode === 8)
    return closing === undefined || closing.payload.length < 2 ? 0 : closing.payload.readUInt16BE()
  }

  get isClosed(): boolean {
    return this.socket.closed
  }

  send(...frames: Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames))
  }

  /** @returns whether it was so before `ms` were over, or the server closed */
  async until(condition: () => boolean, ms = 10_000): Promise<boolean> {
    const end = performance.now() + ms
    while (!condition()) {
      const left = end - performance.now()
      if (left <= 0 || this.socket.closed) return condition()
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    return true
  }

  #parse(): void {
    if (this.head === '') {
      const end = this.#bytes.indexOf('\r\n\r\n')
      if (end === -1) return
      this.head = this.#bytes.toString('latin1', 0, end)
      this.#bytes = this.#bytes.subarray(end + 4)
    }
    if (this.status !== 101) return
    for (;;) {
      if (this.#bytes.length < 2) return
      const short = Number(this.#bytes[1]) & 0x7f
      const start = short === 126 ? 4 : short === 127 ? 10 : 2
      if (this.#bytes.length < start) return
      const length = short === 126 ? this.#bytes.readUInt16BE(2) : short === 127 ? Number(this.#bytes.readBigUInt64BE(2)) : short
      if (this.#bytes.length < start + length) return
      const first = Number(this.#bytes[0])
      this.frames.push({ opcode: first & 15, rsv: (first >> 4) & 7, payload: this.#bytes.subarray(start, start + length) })
      this.#bytes = this.#bytes.subarray(start + length)
    }
  }
}
