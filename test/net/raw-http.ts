import net from 'node:net'

export interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
}

export interface Talk {
  readonly answers: readonly Answer[]
  /** How the server ended the connection; undefined: not at all. */
  readonly closed: 'fin' | 'reset' | undefined
  readonly ms: number
}

/**
 * Sends bytes as they are, a number being a pause in milliseconds, and takes what comes back until the server closes, until `count`
 * answers are complete, or until `ms` have passed.
 */
export function talk(port: number, steps: readonly (string | Buffer | number)[], options: { count?: number; ms?: number; half?: boolean } = {}): Promise<Talk> {
  return new Promise((resolve) => {
    const start = performance.now()
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    let received = ''
    const end = (closed: Talk['closed']): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ answers: parseAnswers(received), closed, ms: performance.now() - start })
    }
    const timer = setTimeout(() => end(undefined), options.ms ?? 10_000)
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      if (options.count !== undefined && parseAnswers(received).length >= options.count) end(undefined)
    })
    socket.on('end', () => end('fin'))
    socket.on('error', () => end('reset'))
    socket.on('connect', async () => {
      for (const step of steps) {
        if (typeof step === 'number') await new Promise((next) => setTimeout(next, step))
        else socket.write(step, 'latin1' as never)
      }
      if (options.half === true) socket.end()
    })
  })
}

/** The complete answers in a stream of them; bodies by their length. */
function parseAnswers(text: string): Answer[] {
  const answers: Answer[] = []
  for (let at = 0; ; ) {
    const end = text.indexOf('\r\n\r\n', at)
    if (end === -1) return answers
    const head = text.slice(at, end)
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0)
    if (text.length < end + 4 + length) return answers
    answers.push({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0), head, body: text.slice(end + 4, end + 4 + length) })
    at = end + 4 + length
  }
}
